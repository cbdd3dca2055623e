// Command build writes the element <keyward-keys> of this release into a folder: as keyward-<hash>.js, or as keyward.js
// with its hashes in integrity.json for the package of npm. The bytes are those that the server serves.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/keyward/keyward/internal/portal"
)

func main() {
	plain := flag.Bool("plain", false, "write keyward.js and integrity.json")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: build [-plain] FOLDER")
		os.Exit(2)
	}
	if err := write(flag.Arg(0), *plain); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

func write(folder string, plain bool) error {
	element, err := portal.Element()
	if err != nil {
		return err
	}
	if !plain {
		return os.WriteFile(filepath.Join(folder, "keyward-"+element.Hash+".js"), element.Content, 0o644)
	}
	hashes, err := json.MarshalIndent(map[string]string{"hash": element.Hash, "integrity": element.Integrity}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "integrity.json"), append(hashes, '\n'), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "keyward.js"), element.Content, 0o644)
}
