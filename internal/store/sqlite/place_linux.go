package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// remote are file systems whose locks do not hold between machines, or do not hold at all; by the name that the
// kernel's table of mounts has, where FUSE adds the name of the program behind it.
var remote = []string{
	"nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "coda", "ceph", "lustre", "gfs2", "ocfs2", "glusterfs",
	"beegfs",
	"fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.rclone", "fuse.davfs", "fuse.davfs2",
	"fuse.curlftpfs", "fuse.ceph",
	"fuse.ceph-fuse", "fuse.juicefs", "fuse.mfs", "fuse.moosefs", "fuse.blobfuse", "fuse.blobfuse2", "fuse.goofys",
	"fuse.mount-s3",
	"fuse.smbnetfs", "fuse.seaweedfs", "fuse.lizardfs", "fuse.hdfs", "fuse.onedriver",
}

// magics are the same by the number that statfs gives, for where the table of mounts cannot be read.
var magics = map[uint32]string{
	0x6969: "nfs", 0xff534d42: "cifs", 0xfe534d42: "smb3", 0x517b: "smbfs", 0x564c: "ncpfs", 0x5346414f: "afs",
	0x73757245: "coda",
	0x00c36400: "ceph", 0x0bd00bd0: "lustre", 0x01161970: "gfs2", 0x7461636f: "ocfs2", 0x19830326: "beegfs",
}

// place refuses a database where its lock would not hold, or where its log would not lie beside it.
func place(path string) error {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		table = nil // without /proc the number of the file system has to do
	}
	return placeBy(path, string(table), kindOfPlace)
}

func kindOfPlace(dir string) string {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return ""
	}
	return magics[uint32(s.Type)]
}

// placeBy judges by a table of mounts (proc_pid_mountinfo(5)): the fifth word of a line is where, the first after " - "
// is the kind. Of several mounts at one place the last one counts.
func placeBy(path, table string, kindOf func(dir string) string) error {
	dir, kind, nearest := filepath.Dir(path), "", ""
	for line := range strings.Lines(table) {
		front, back, _ := strings.Cut(line, " - ")
		words, kinds := strings.Fields(front), strings.Fields(back)
		if len(words) < 5 || len(kinds) == 0 {
			continue
		}
		at := unescape(words[4])
		if at == path || at == path+"-wal" {
			return fmt.Errorf("the database %s is a mount of a single file, beside which its log of changes cannot be kept: "+
				"mount the folder, not the file", path)
		}
		if inside := dir == at || at == "/" || strings.HasPrefix(dir, at+"/"); inside && len(at) >= len(nearest) {
			nearest, kind = at, kinds[0]
		}
	}
	if !slices.Contains(remote, kind) {
		kind = kindOf(dir)
	}
	if kind != "" {
		return fmt.Errorf("the database %s lies on a network file system (%s), where locks do not keep a second server out: "+
			"put it on a local disk, or use PostgreSQL", path, kind)
	}
	return nil
}

// unescape turns the octal escapes of the table of mounts into the characters they stand for.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`, `\043`, "#").Replace(s)
}
