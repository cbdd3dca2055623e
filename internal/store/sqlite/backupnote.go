package sqlite

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/keyward/keyward/internal/store"
)

// noteSuffix names the note of the last backup, which lies beside the database: a command that makes a backup must not
// write to a database that a server has open.
const noteSuffix = ".backup"

type backupNote struct {
	At    time.Time `json:"at"`
	Bytes int64     `json:"bytes"`
}

// NoteBackup keeps when a backup was made, unless a later one is known.
func (d *Driver) NoteBackup(b store.Backup) error {
	if last, err := d.LastBackup(); err == nil && !last.At.Before(b.At) {
		return nil
	}
	raw, err := json.Marshal(backupNote{b.At.UTC().Truncate(time.Millisecond), b.Bytes})
	if err != nil {
		return fmt.Errorf("note a backup: %w", err)
	}
	fresh := d.path + noteSuffix + ".new"
	if err := os.WriteFile(fresh, raw, mode); err != nil {
		return fmt.Errorf("note a backup: %w", err)
	}
	if err := os.Rename(fresh, d.path+noteSuffix); err != nil {
		return fmt.Errorf("note a backup: %w", err)
	}
	return nil
}

// LastBackup gives the noted one, zero for none. A note that cannot be read is none.
func (d *Driver) LastBackup() (store.Backup, error) {
	raw, err := os.ReadFile(d.path + noteSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return store.Backup{}, nil
	}
	if err != nil {
		return store.Backup{}, fmt.Errorf("read the note of the last backup: %w", err)
	}
	var note backupNote
	if json.Unmarshal(raw, &note) != nil {
		return store.Backup{}, nil
	}
	return store.Backup{At: note.At.UTC(), Bytes: note.Bytes}, nil
}
