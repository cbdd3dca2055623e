package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// built is a stage whose commands have run: outside are its folders, by their path inside.
type built struct {
	context string            // of the build, which is the working directory
	workdir string            // inside
	env     map[string]string // inside
	outside map[string]string
}

// runStage runs the commands of one stage in a sandbox: this machine's programs, read-only, the context at the working
// directory, and an empty folder at each of outputs, which later stages copy from.
func (b *build) runStage(stage instructions.Stage, outputs []string, scratch string) (*built, error) {
	context, err := filepath.Abs(b.context)
	if err != nil {
		return nil, err
	}
	s := &built{context: context, workdir: "/", env: map[string]string{}, outside: map[string]string{}}
	for _, path := range outputs {
		dir := filepath.Join(scratch, strings.ReplaceAll(path, "/", "_"))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		s.outside[path] = dir
	}
	for _, command := range stage.Commands {
		switch c := command.(type) {
		case *instructions.ArgCommand:
			for _, arg := range c.Args {
				s.env[arg.Key] = b.args[arg.Key]
				if _, given := b.args[arg.Key]; !given && arg.Value != nil {
					s.env[arg.Key] = *arg.Value
				}
			}
		case *instructions.EnvCommand:
			for _, pair := range c.Env {
				s.env[pair.Key] = pair.Value
			}
		case *instructions.WorkdirCommand:
			s.workdir = c.Path
		case *instructions.CopyCommand:
			if c.From != "" {
				return nil, fmt.Errorf("stage %s: COPY --from is supported in the last stage only", stage.Name)
			}
			// The whole context lies in the working directory already.
		case *instructions.RunCommand:
			if err := s.run(strings.Join(c.CmdLine, " ")); err != nil {
				return nil, fmt.Errorf("stage %s: RUN %s: %w", stage.Name, strings.Join(c.CmdLine, " "), err)
			}
		default:
			return nil, fmt.Errorf("stage %s: %s is not supported", stage.Name, command.Name())
		}
	}
	return s, nil
}

// run runs one command line.
func (s *built) run(line string) error {
	args := []string{
		"--die-with-parent", "--unshare-pid", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--clearenv", "--setenv",
		"PATH", os.Getenv("PATH"), "--setenv", "HOME", "/tmp", "--setenv", "GOFLAGS", "-buildvcs=false",
	}
	for _, dir := range []string{"/usr", "/bin", "/lib", "/lib64", "/sbin", "/etc"} {
		if _, err := os.Stat(dir); err == nil {
			args = append(args, "--ro-bind", dir, dir)
		}
	}
	goEnv, err := exec.Command("go", "env", "GOROOT", "GOMODCACHE", "GOCACHE", "GOPROXY", "GONOSUMDB", "GOSUMDB").Output()
	if err != nil {
		return fmt.Errorf("go env: %w", err)
	}
	of := strings.Split(strings.TrimRight(string(goEnv), "\n"), "\n")
	args = append(args, "--ro-bind", of[0], of[0])
	for i, name := range map[int]string{1: "GOMODCACHE", 2: "GOCACHE"} {
		if err := os.MkdirAll(of[i], 0o755); err != nil {
			return err
		}
		args = append(args, "--bind", of[i], of[i], "--setenv", name, of[i])
	}
	for i, name := range map[int]string{3: "GOPROXY", 4: "GONOSUMDB", 5: "GOSUMDB"} {
		args = append(args, "--setenv", name, of[i])
	}
	args = append(args, "--setenv", "GOTOOLCHAIN", "local", "--ro-bind", s.context, s.workdir, "--chdir", s.workdir)
	for inside, outside := range s.outside {
		args = append(args, "--bind", outside, inside)
	}
	for name, value := range s.env {
		args = append(args, "--setenv", name, value)
	}
	cmd := exec.Command("bwrap", append(args, "sh", "-ec", line)...)
	cmd.Stdout = os.Stderr
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// find gives the path outside of a path inside: of a folder that was made, else of this machine.
func (s *built) find(inside string) string {
	for at, outside := range s.outside {
		if rest, ok := strings.CutPrefix(inside, at+"/"); ok {
			return filepath.Join(outside, rest)
		}
	}
	return inside
}
