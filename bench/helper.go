package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// helper is one of this program's own helpers that works by commands: it gets each as a line of JSON, and answers it
// with a line.
type helper struct {
	cmd   *exec.Cmd
	words io.WriteCloser
	said  *bufio.Scanner
}

// reply is the answer to a command.
type reply struct {
	Err   string          // "" where it went well
	Found json.RawMessage // what the command asks for
}

// startHelper starts a command, which must be this program with childWord, and gives it its order.
func startHelper(cmd *exec.Cmd, log io.Writer, order any) (*helper, error) {
	h := &helper{cmd: cmd}
	cmd.Stderr = log
	words, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.words, h.said = words, bufio.NewScanner(out)
	h.said.Buffer(nil, 16<<20)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return h, json.NewEncoder(words).Encode(order)
}

// tell gives a command, and reads what was found into found, which may be nil.
func (h *helper) tell(command, found any) error {
	if err := json.NewEncoder(h.words).Encode(command); err != nil {
		return err
	}
	if !h.said.Scan() {
		return fmt.Errorf("the helper ended: %w", errors.Join(h.said.Err(), io.ErrUnexpectedEOF))
	}
	var r reply
	err := json.Unmarshal(h.said.Bytes(), &r)
	switch {
	case err != nil:
		return err
	case r.Err != "":
		return errors.New(r.Err)
	case found == nil:
		return nil
	}
	return json.Unmarshal(r.Found, found)
}

func (h *helper) end() {
	_ = h.words.Close()
	_ = h.cmd.Process.Kill()
	_ = h.cmd.Wait()
}

// obey is the helper's side: it does each command until there is no more.
func obey[C any](words *json.Decoder, do func(C) (found any, err error)) error {
	for {
		var c C
		if err := words.Decode(&c); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var r reply
		found, err := do(c)
		if err == nil {
			r.Found, err = json.Marshal(found)
		}
		if err != nil {
			r.Err = err.Error()
		}
		if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
			return err
		}
	}
}
