package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// resolve follows the links of a path to the file itself, because the files of a database lie beside the file. For a
// file that is not there yet it follows those of the directory.
func resolve(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(path)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return real, err
	}
	if _, err := os.Lstat(path); err == nil {
		return "", fmt.Errorf("the database %s is a link that leads nowhere: is a volume not mounted?", path)
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", fmt.Errorf("open the database: %w", err)
	}
	return filepath.Join(dir, filepath.Base(path)), nil
}

// siblings lists the files beside the database whose names begin with its own: its log and its lock, a database that
// was moved aside, a backup.
func siblings(path string) (names []string, log bool, err error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, false, fmt.Errorf("open the database: %w", err)
	}
	base := filepath.Base(path)
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), base)
		if !ok || rest == "" || rest[0] != '-' && rest[0] != '.' {
			continue
		}
		names = append(names, e.Name())
		if info, err := e.Info(); rest == "-wal" && err == nil && info.Size() > 0 {
			log = true
		}
	}
	return names, log, nil
}

// vacant tells whether a new database may be made at path. "Not there" is not yet "never was": a volume that is not
// mounted, or a file that was moved, would otherwise become an empty installation that knows no key.
func vacant(path, what string, init bool) error {
	names, log, err := siblings(path)
	switch {
	case err != nil:
		return err
	case log:
		return fmt.Errorf(
			"the database %s %s, and its log of changes %s-wal is there: put the database back beside it, or move the log "+
				"away and restore a backup (keyward restore)",
			path,
			what,
			filepath.Base(path),
		)
	case len(names) > 0 && !init:
		return fmt.Errorf(
			"the database %s %s, and %s beside it says that there was one: put it back or restore a backup (keyward restore); "+
				"for a new, empty installation move that away or start once with --init",
			path,
			what,
			strings.Join(names, ", "),
		)
	}
	return nil
}

// there refuses a path without a database: a name that was mistyped would otherwise become an empty file, and that the
// remains of an installation.
func there(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := vacant(path, "is not there", true); err != nil {
			return err
		}
		return fmt.Errorf("there is no database at %s (%w): name the one that is meant (KEYWARD_DATABASE_URL), "+
			"or start a server there", path, fs.ErrNotExist)
	case err == nil && info.Mode().IsRegular() && info.Size() == 0:
		if err := vacant(path, "is empty", true); err != nil {
			return err
		}
		return fmt.Errorf("the database %s is empty: name the one that is meant (KEYWARD_DATABASE_URL), "+
			"or start a server there", path)
	}
	return nil
}

// sound refuses a database that is cut short: pages that it says it has are neither in it nor in its log.
func sound(f io.ReaderAt, size int64, path string) error {
	var head [100]byte
	if n, err := f.ReadAt(head[:], 0); n < len(head) {
		if errors.Is(err, io.EOF) {
			return nil // too short for a database: SQLite says so itself
		}
		return fmt.Errorf("read the database %s: %w", path, err)
	}
	page := int64(binary.BigEndian.Uint16(head[16:]))
	if page == 1 {
		page = 65536
	}
	pages := int64(binary.BigEndian.Uint32(head[28:]))
	if string(head[:16]) != "SQLite format 3\x00" || page < 512 || string(head[24:28]) != string(head[92:96]) ||
		pages*page <= size {
		return nil
	}
	logged, err := pagesIn(path+"-wal", page)
	if err != nil {
		return fmt.Errorf("read the log of changes of %s: %w", path, err)
	}
	for n := size/page + 1; n <= pages; n++ {
		if !logged[uint32(n)] {
			return fmt.Errorf(
				"the database %s is cut short: it has %d bytes and should have %d; restore a backup (keyward restore)", path, size,
				pages*page,
			)
		}
	}
	return nil
}

// pagesIn lists the pages in a write-ahead log (https://www.sqlite.org/fileformat2.html#walformat): those whose salt is
// the log's.
func pagesIn(path string, page int64) (map[uint32]bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const headSize, frameHead = 32, 24
	var head [headSize]byte
	if n, err := f.ReadAt(head[:], 0); n < headSize {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return nil, err
	}
	found := make(map[uint32]bool)
	var frame [frameHead]byte
	for at := int64(headSize); ; at += frameHead + page {
		n, err := f.ReadAt(frame[:], at)
		if n < frameHead && errors.Is(err, io.EOF) {
			return found, nil
		}
		if n < frameHead {
			return nil, err
		}
		if string(frame[8:16]) == string(head[16:24]) {
			found[binary.BigEndian.Uint32(frame[:])] = true
		}
	}
}

// belongs refuses a database and a log of changes that do not go together, as far as the lock remembers: both of them
// by their inodes, and how they were when they were last looked at.
//
// A log of another file stayed when a backup was put in place of the database, and SQLite would apply it. If both files
// are others, they came together. Another log beside the same database was begun by a program without the lock, such as
// sqlite3 or a move.
//
// A log that is gone, or was emptied, although its server was not stopped in order, held the latest changes: without it
// a revoked key would work again. A program that folds a log into the database and removes it leaves a database that
// was written to since, and no index. A kill amid a fold of the server's own leaves such a database, too: there the
// removal of both the log and the index by hand is not told from a fold.
func belongs(h *held, path string) error {
	log, err := os.Stat(path + "-wal")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	there := err == nil && log.Size() >= logHead
	b := make([]byte, lineMost)
	n, _ := h.locks[0].ReadAt(b, 0)
	line, rest, _ := strings.Cut(string(b[:n]), "\n")
	var was, wasLog fileID
	if _, err := fmt.Sscanf(line, remembered, &was.device, &was.inode, &wasLog.device, &wasLog.inode); err != nil {
		return nil // a lock of a program that did not write it down
	}
	if !there {
		line, _, _ = strings.Cut(rest, "\n")
		return lostLog(h, path, line, was)
	}
	id, _ := identify(log)
	if was != h.id && wasLog == id {
		return fmt.Errorf(
			"the database %s was replaced and the log of changes %s-wal was not: it belongs to the database before; "+
				"move the log to where that database is, or away",
			path,
			filepath.Base(path),
		)
	}
	return nil
}

// lostLog refuses a database whose log is missing, by the second line of the lock.
func lostLog(h *held, path, line string, was fileID) error {
	var size, changed int64
	if _, err := fmt.Sscanf(line, remembersLog, &size, &changed); err != nil || size < logHead || was != h.id {
		return nil // a lock of an earlier program, a server that was stopped in order, or another database
	}
	info, err := h.file.Stat()
	if err != nil {
		return nil
	}
	// SQLite removes the index before the log: an index without a log is left by a removal by hand.
	_, err = os.Stat(path + "-shm")
	if info.ModTime().UnixNano() != changed && err != nil {
		return nil
	}
	return fmt.Errorf("the log of changes %[1]s-wal is missing or empty, and had %[2]d bytes when the server of the database "+
		"%[3]s was killed: the latest changes were in it, and revoked keys would work again; put it back, or restore a backup "+
		"(keyward restore); to go on without those changes remove %[1]s.lock", filepath.Base(path), size, path)
}

// lockSuffix names the lock beside a database.
const lockSuffix = ".lock"

// A lock begins with two lines: device and inode of the database and of its log, and how many bytes the log had and
// when the database was last written. They have no more bytes than lineMost; the reserve follows.
const (
	remembered   = "database %d:%d log %d:%d"
	remembersLog = "kept %d %d"
	lineMost     = 200
	logHead      = 32 // bytes, which a log begins with
)

// remember writes down which files are served together, and how they are now. On a full disk the former lines stay or
// none are there, which belongs takes.
func remember(h *held, log fileID, logSize int64, changed time.Time) {
	lines := fmt.Sprintf(
		remembered+"\n"+remembersLog+"\n", h.id.device, h.id.inode, log.device, log.inode, logSize, changed.UnixNano(),
	)
	for _, f := range h.locks {
		_, _ = f.WriteAt([]byte(lines), 0)
	}
}
