package main

import (
	"fmt"
	"maps"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// image runs the first stages and puts the last one together.
func (b *build) image() (v1.Image, error) {
	stages, err := b.stages()
	if err != nil {
		return nil, err
	}
	last := stages[len(stages)-1]
	if last.BaseName != "scratch" {
		return nil, fmt.Errorf("the last stage begins with FROM %s: want scratch", last.BaseName)
	}
	scratch, err := os.MkdirTemp("", "image")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	made := map[string]*built{}
	for _, stage := range stages[:len(stages)-1] {
		if made[stage.Name], err = b.runStage(stage, outputs(last, stage.Name), scratch); err != nil {
			return nil, err
		}
	}
	return assemble(last, made)
}

// outputs are the folders that the last stage copies out of a stage, but for those of the system.
func outputs(last instructions.Stage, stage string) []string {
	found := map[string]bool{}
	for _, command := range last.Commands {
		c, ok := command.(*instructions.CopyCommand)
		if !ok || c.From != stage {
			continue
		}
		for _, source := range c.SourcePaths {
			top := "/" + strings.SplitN(strings.TrimPrefix(source, "/"), "/", 2)[0]
			if top != "/etc" && top != "/usr" {
				found[top] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func assemble(last instructions.Stage, made map[string]*built) (v1.Image, error) {
	at, err := created()
	if err != nil {
		return nil, err
	}
	files := newLayer(at)
	config := v1.Config{}
	for _, command := range last.Commands {
		if err := instruct(&config, files, made, command); err != nil {
			return nil, err
		}
	}
	content, err := files.finish()
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(empty.Image, content)
	if err != nil {
		return nil, err
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS = "linux"
	file.Architecture = runtime.GOARCH
	file.Created = v1.Time{Time: at}
	file.Config = config
	return mutate.ConfigFile(img, file)
}

// instruct carries out one instruction of the last stage.
func instruct(config *v1.Config, files *layer, made map[string]*built, command instructions.Command) error {
	switch c := command.(type) {
	case *instructions.CopyCommand:
		return copyFrom(files, made, c)
	case *instructions.UserCommand:
		config.User = c.User
	case *instructions.WorkdirCommand:
		config.WorkingDir = c.Path
	case *instructions.EnvCommand:
		for _, pair := range c.Env {
			config.Env = append(config.Env, pair.Key+"="+pair.Value)
		}
	case *instructions.VolumeCommand:
		config.Volumes = map[string]struct{}{}
		for _, v := range c.Volumes {
			config.Volumes[v] = struct{}{}
		}
	case *instructions.ExposeCommand:
		config.ExposedPorts = map[string]struct{}{}
		for _, port := range c.Ports {
			config.ExposedPorts[port+"/tcp"] = struct{}{}
		}
	case *instructions.EntrypointCommand:
		config.Entrypoint = c.CmdLine
	case *instructions.CmdCommand:
		config.Cmd = c.CmdLine
	case *instructions.LabelCommand:
		config.Labels = map[string]string{}
		for _, pair := range c.Labels {
			config.Labels[pair.Key] = pair.Value
		}
	case *instructions.HealthCheckCommand:
		h := c.Health
		config.Healthcheck = &v1.HealthConfig{
			Test: h.Test, Interval: h.Interval, Timeout: h.Timeout, StartPeriod: h.StartPeriod, Retries: h.Retries,
		}
	default:
		return fmt.Errorf("last stage: %s is not supported", command.Name())
	}
	return nil
}

func copyFrom(files *layer, made map[string]*built, c *instructions.CopyCommand) error {
	from := made[c.From]
	if from == nil {
		return fmt.Errorf("last stage: COPY --from=%s: there is no such stage", c.From)
	}
	uid, gid, err := owner(c.Chown)
	if err != nil {
		return err
	}
	for _, source := range c.SourcePaths {
		to := c.DestPath
		if strings.HasSuffix(to, "/") {
			to = path.Join(to, path.Base(source))
		}
		if err := files.add(from.find(source), to, uid, gid); err != nil {
			return err
		}
	}
	return nil
}
