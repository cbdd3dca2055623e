package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
)

// mostBytes is how large the command may be. It has 40.0 MB (linux/amd64); a look-up of methods by name adds 10.
const mostBytes = 41_000_000

// small checks the size of a binary.
func small(binary string) error {
	info, err := os.Stat(binary)
	if err != nil {
		return err
	}
	if info.Size() > mostBytes {
		return fmt.Errorf(
			"the command has %d bytes, over %d: see docs/adr/0030-no-methods-by-name.md", info.Size(), mostBytes,
		)
	}
	return nil
}

// noLookups links the command once more, and checks that nothing in it looks a method up by its name: then the linker
// would keep every exported method. The linker's list of what uses what marks such a look-up.
func (r *release) noLookups() error {
	c := r.command(
		[]string{"CGO_ENABLED=0", "GOFLAGS=-buildvcs=false"}, "go", "build", "-trimpath", "-tags", tags,
		"-ldflags=-dumpdep", "-o", os.DevNull, "./cmd/keyward",
	)
	list, write := io.Pipe()
	c.Stdout, c.Stderr = write, write
	go func() { _ = write.CloseWithError(c.Run()) }() // of a nil error a reader sees the end
	edges := 0
	var found []string
	lines := bufio.NewScanner(list)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		from, to, isEdge := strings.Cut(lines.Text(), " -> ")
		if !isEdge {
			continue
		}
		edges++
		if strings.HasSuffix(from, "<ReflectMethod>") {
			found = append(found, from+" calls "+to)
		}
	}
	switch {
	case lines.Err() != nil:
		return lines.Err()
	case edges < 1000:
		return fmt.Errorf("the linker listed %d uses: its list is not read as it is written", edges)
	case len(found) > 0:
		return fmt.Errorf("a method is looked up by its name: see docs/adr/0030-no-methods-by-name.md\n%s",
			strings.Join(found, "\n"))
	}
	return nil
}
