package server

import (
	"net"
	"strings"
	"testing"
)

func TestAnAddressThatCannotBeHadNamesTheSettingAndTheRemedy(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for addr, want := range map[string]string{
		taken.Addr().String(): "stop the program that listens there",
		"192.0.2.1:0":         "name an address of this machine",
	} {
		_, err := listenAt(t.Context(), "KEYWARD_DATA_ADDR", addr)
		if err == nil || !strings.HasPrefix(err.Error(), "KEYWARD_DATA_ADDR: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", addr, err, want)
		}
	}
}
