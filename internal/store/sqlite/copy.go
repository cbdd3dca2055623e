package sqlite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// CopyWhole copies a database that no server has open, with its log of changes, into a folder of its own; the index,
// -shm, is made anew by SQLite. The source is only read: opening it would fold the log into a file that may be the
// only backup. A source that cannot be read whole is refused, and so is one that changes meanwhile.
func CopyWhole(from, folder string) (path string, err error) {
	real, err := filepath.EvalSymlinks(from) // the log lies beside the file
	if err != nil {
		return "", err
	}
	for _, beside := range []string{"-journal"} {
		if info, err := os.Stat(real + beside); err == nil && info.Size() > 0 {
			return "", fmt.Errorf(
				"%s lies beside it: another program was within a change when it was copied", filepath.Base(real)+beside,
			)
		}
	}
	if err := unserved(real); err != nil {
		return "", err
	}
	path = CopyIn(folder)
	before := lookAt(real)
	if err := copyPart(path, real); err != nil {
		return "", err
	}
	if err := copyPart(path+"-wal", real+"-wal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if lookAt(real) != before {
		return "", errors.New("it was changed while it was read: copy it with keyward backup")
	}
	return path, whole(path)
}

// CopyIn is where CopyWhole puts the database in a folder.
func CopyIn(folder string) string { return filepath.Join(folder, "keyward.db") }

// lookAt tells by which sizes and times a database and its log are known again.
func lookAt(path string) (all string) {
	for _, part := range parts[:2] {
		info, err := os.Stat(path + part)
		if err != nil {
			all += part + " is not there "
			continue
		}
		all += fmt.Sprint(info.Size(), " ", info.ModTime().UnixNano(), " ")
	}
	return all
}

// copyPart copies to a new file that only its owner can read, down to the disk.
func copyPart(to, from string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

// whole refuses a copy that is cut short, and one of whose log SQLite would silently leave out a part.
func whole(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := sound(f, info.Size(), path); err != nil {
		return errors.New("it is cut short: pages are missing at its end")
	}
	log, err := os.ReadFile(path + "-wal")
	none := errors.Is(err, fs.ErrNotExist) || err == nil && len(log) == 0
	switch {
	case none && info.Size() == 0:
		return errors.New("it is empty: name another backup")
	case none:
		return nil
	case err != nil:
		return err
	case info.Size() == 0:
		return errors.New("it is empty, and its log of changes is not: name another backup")
	}
	return wholeLog(log)
}

// wholeLog reads a write-ahead log as SQLite does (https://www.sqlite.org/fileformat2.html#walformat), up to the last
// commit whose sums are right. Frames of this log behind it are a change that was cut off or damaged.
func wholeLog(log []byte) error {
	const headSize, frameHead = 32, 24
	damaged := errors.New("its log of changes (-wal) is damaged at its beginning")
	if len(log) < headSize {
		return damaged
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch binary.BigEndian.Uint32(log) {
	case 0x377f0682:
	case 0x377f0683:
		order = binary.BigEndian
	default:
		return damaged
	}
	page := int(binary.BigEndian.Uint32(log[8:]))
	sum := walSum{order: order}
	sum.add(log[:24])
	if page < 512 || page > 65536 || !sum.is(log[24:]) {
		return damaged
	}
	salt := log[16:24]
	broken, open := false, false // a frame of this log with a wrong sum; frames without their commit
	for at := headSize; at+16 <= len(log); at += frameHead + page {
		frame := log[at:min(at+frameHead+page, len(log))]
		if !bytes.Equal(frame[8:16], salt) {
			broken = true // the rest is of a log before, or damaged
			continue
		}
		if len(frame) == frameHead+page && !broken {
			sum.add(frame[:8])
			sum.add(frame[frameHead:])
		}
		if broken || len(frame) < frameHead+page || !sum.is(frame[16:]) {
			return errors.New(
				"its log of changes (-wal) is damaged or cut short, and a part of it would be left out; if it was copied after a " +
					"crash, start a server on the copy and stop it, and restore that",
			)
		}
		open = binary.BigEndian.Uint32(frame[4:]) == 0
	}
	if open {
		return errors.New(
			"its log of changes (-wal) ends within a change: it was cut short; if it was copied after a crash, start a server on " +
				"the copy and stop it, and restore that",
		)
	}
	return nil
}

// walSum is the log's running checksum.
type walSum struct {
	order binary.ByteOrder
	a, b  uint32
}

func (s *walSum) add(part []byte) {
	for i := 0; i+8 <= len(part); i += 8 {
		s.a += s.order.Uint32(part[i:]) + s.b
		s.b += s.order.Uint32(part[i+4:]) + s.a
	}
}

// is compares with the stored sum, which is big-endian in every case.
func (s *walSum) is(written []byte) bool {
	return binary.BigEndian.Uint32(written) == s.a && binary.BigEndian.Uint32(written[4:]) == s.b
}
