package followers_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/rig"
)

const recipes = "../../deploy/follower/"

// The recipes for nginx and Node, by these programs themselves, over the socket of a real follower.
func TestNginxAndNodeAskAFollowerOnAUnixSocket(t *testing.T) {
	t.Parallel()
	c := startCore(t, "", limit)
	token := c.service().Key.Reveal()
	dir, err := os.MkdirTemp("", "keyward-socket-") // a path of a socket is short
	check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "k.sock")
	f := c.followAt(socket, c.addr, token).ready()
	id, value := c.key()
	f.eventually(value, keyward.VerdictValid, "a new key")

	node := func() string {
		script := `const { verify } = await import(process.argv[1]);
			const v = await verify({ key: process.env.KEY }, { socketPath: process.argv[2] });
			console.log(v.code);`
		cmd := exec.Command("node", "--input-type=module", "-e", script, must(t, recipes+"verify.mjs"), socket)
		cmd.Env = append(os.Environ(), "TOKEN="+token, "KEY="+value)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("node: %v: %s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("for " + r.Header.Get("X-Keyward-Workspace-Id")))
	}))
	t.Cleanup(service.Close)
	proxy := startNginx(t, dir, socket, strings.TrimPrefix(service.URL, "http://"))
	through := func(key string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+proxy+"/", nil)
		check(t, err)
		r.Header.Set("Authorization", "Bearer "+key)
		resp, err := http.DefaultClient.Do(r)
		check(t, err)
		defer resp.Body.Close()
		text := make([]byte, 100)
		n, _ := resp.Body.Read(text)
		return resp.StatusCode, string(text[:n])
	}
	if code := node(); code != "VALID" {
		t.Errorf("Node: %s", code)
	}
	if status, text := through(value); status != http.StatusOK || text != "for "+c.ws {
		t.Errorf("nginx: %d %s", status, text)
	}
	c.disable(id, keyward.WaitAll())
	if code := node(); code != "DISABLED" {
		t.Errorf("Node, after the key was disabled: %s", code)
	}
	if status, text := through(value); status != http.StatusForbidden && status != http.StatusUnauthorized {
		t.Errorf("nginx, after the key was disabled: %d %s", status, text)
	}
}

func must(t testing.TB, path string) string {
	t.Helper()
	full, err := filepath.Abs(path)
	check(t, err)
	return full
}

// startNginx runs nginx with the recipe, with other addresses in it.
func startNginx(t testing.TB, dir, socket, service string) (addr string) {
	t.Helper()
	text, err := os.ReadFile(recipes + "nginx.conf")
	check(t, err)
	addr = "127.0.0.1:" + strconv.Itoa(rig.FreePort(t))
	recipe := strings.NewReplacer("/run/keyward/keyward.sock", socket, "127.0.0.1:8081", addr, "127.0.0.1:9000", service).
		Replace(string(text))
	conf := filepath.Join(dir, "nginx.conf")
	user := ""
	if os.Getuid() == 0 {
		user = "user root;\n"
	}
	check(t, os.WriteFile(conf, []byte(user+
		"daemon off;\nmaster_process off;\nerror_log stderr;\npid "+dir+"/pid;\nevents {}\n"+
		"http { access_log off; client_body_temp_path "+dir+"/b; proxy_temp_path "+dir+"/p; fastcgi_temp_path "+dir+"/f;\n"+
		"uwsgi_temp_path "+dir+"/u; scgi_temp_path "+dir+"/s;\n"+recipe+"}\n"), 0o600))
	rig.StartProcess(t, exec.Command("nginx", "-p", dir, "-e", "stderr", "-c", conf), filepath.Join(dir, "nginx.log"))
	rig.WaitFor(t, "nginx", func() error {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err
	})
	return addr
}
