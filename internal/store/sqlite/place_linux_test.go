package sqlite

import (
	"strings"
	"testing"
)

func TestT101ThePlaceIsJudgedByTheTableOfMounts(t *testing.T) {
	t.Parallel()
	const table = `22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:40 / /srv/nfs rw - nfs4 server:/export rw
31 22 0:41 / /srv/with\040blank rw shared:1 - fuse.sshfs me@host: rw
32 22 254:0 /x /var/lib/keyward.db rw - ext4 /dev/vda rw
33 30 0:42 / /srv/nfs/local rw - xfs /dev/vdb rw
`
	none := func(string) string { return "" }
	for path, want := range map[string]string{
		"/var/lib/other.db":         "",
		"/var/lib/keyward.db":       "mount the folder",
		"/srv/nfs/a/keyward.db":     "network file system (nfs4)",
		"/srv/nfsother/keyward.db":  "",
		"/srv/nfs/local/keyward.db": "",
		"/srv/with blank/k.db":      "network file system (fuse.sshfs)",
	} {
		err := placeBy(path, table, none)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	for _, kind := range magics {
		if err := placeBy("/a/keyward.db", "", func(string) string { return kind }); err == nil ||
			!strings.Contains(err.Error(), kind) {
			t.Errorf("%s by its number: %v", kind, err)
		}
	}
	for _, kind := range remote {
		line := "22 1 0:40 / /a rw - " + kind + " x rw\n"
		if err := placeBy("/a/keyward.db", line, none); err == nil || !strings.Contains(err.Error(), kind) {
			t.Errorf("%s by its name: %v", kind, err)
		}
	}
}
