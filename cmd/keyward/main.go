// Command keyward is the server and its tools.
package main

import (
	"context"
	"os"
	"runtime/debug"

	"github.com/keyward/keyward/internal/cli"
)

// version is set by the linker; without it the module's own is taken.
var version = ""

func main() { os.Exit(run()) }

func run() int {
	streams := cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	return cli.Main(context.Background(), os.Args[1:], streams, release())
}

func release() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}
