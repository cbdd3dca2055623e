// Command image builds a container image from a Dockerfile without a container engine, and unpacks one to be run.
//
// It takes the Dockerfiles of static binaries: stages before the last one run their commands with this machine's tools,
// in a sandbox that has the build context as the working directory; the last stage begins with FROM scratch and copies
// what they made. Every other instruction is refused, so that nothing in the file is passed over.
//
//	go run -C tools/image . -context ../.. -dockerfile ../../deploy/Dockerfile -tag keyward:dev -out ../../bin/keyward-image.tar
//	go run -C tools/image . -in ../../bin/keyward-image.tar -unpack DIR
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run() error {
	var b build
	var in, unpackTo, out, tag string
	args := argsFlag{}
	flag.StringVar(&b.context, "context", ".", "the build context")
	flag.StringVar(&b.dockerfile, "dockerfile", "Dockerfile", "the Dockerfile")
	flag.Var(args, "build-arg", "NAME=value of an ARG; repeatable")
	flag.StringVar(&tag, "tag", "image:latest", "name and tag of the image")
	flag.StringVar(&out, "out", "", "write the image to this file, as docker load and podman load read it")
	flag.StringVar(&in, "in", "", "an image to unpack")
	flag.StringVar(&unpackTo, "unpack", "", "unpack the image into this folder: rootfs, and its settings as config.json")
	flag.Parse()
	b.args = args
	if in != "" {
		return unpack(in, unpackTo)
	}
	if out == "" {
		return errors.New("want -out FILE, or -in FILE -unpack DIR")
	}
	ref, err := name.NewTag(tag)
	if err != nil {
		return fmt.Errorf("-tag: %w", err)
	}
	img, err := b.image()
	if err != nil {
		return err
	}
	if err := tarball.WriteToFile(out, ref, img); err != nil {
		return err
	}
	digest, err := img.Digest()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).
		Encode(map[string]string{"file": out, "tag": ref.String(), "digest": digest.String()})
}

// argsFlag gathers NAME=value flags.
type argsFlag map[string]string

func (a argsFlag) String() string { return "" }

// Set adds one flag.
func (a argsFlag) Set(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return errors.New("want NAME=value")
	}
	a[name] = value
	return nil
}

// build is what an image is made of.
type build struct {
	context    string
	dockerfile string
	args       map[string]string
}

// stages parses the Dockerfile.
func (b *build) stages() ([]instructions.Stage, error) {
	f, err := os.Open(b.dockerfile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	parsed, err := parser.Parse(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.dockerfile, err)
	}
	stages, global, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.dockerfile, err)
	}
	if len(global) > 0 {
		return nil, fmt.Errorf("%s: ARG before FROM is not supported", b.dockerfile)
	}
	return stages, nil
}

// created is the time of everything in the image: SOURCE_DATE_EPOCH, else 1970, so that the same source makes the same
// bytes.
func created() (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		return time.Unix(0, 0).UTC(), nil
	}
	var seconds int64
	if _, err := fmt.Sscanf(text, "%d", &seconds); err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// unpack writes an image's files below dir/rootfs and its configuration to dir/config.json.
func unpack(in, dir string) error {
	if dir == "" {
		return errors.New("want -unpack DIR")
	}
	img, err := tarball.ImageFromPath(in, nil)
	if err != nil {
		return err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return err
	}
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	root := filepath.Join(dir, "rootfs")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	for _, l := range layers {
		if err := unpackLayer(l, root); err != nil {
			return err
		}
	}
	raw, err := json.MarshalIndent(config.Config, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), raw, 0o644)
}
