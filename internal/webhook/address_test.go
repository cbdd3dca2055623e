package webhook_test

import (
	"context"
	"encoding/binary"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/notice"
	"github.com/keyward/keyward/internal/webhook"
)

func TestT74EveryAddressThatIsNotPublicIsRefusedAtConnect(t *testing.T) {
	for _, address := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.1.2.3",
		"169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1",
		"198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.250", "240.0.0.1",
		"255.255.255.255",
		"::", "::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::10.0.0.1", "64:ff9b::10.0.0.1",
		"64:ff9b::8.8.8.8",
		"64:ff9b:1::1", "100::1", "2001::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:0a00:0001::1",
		"3fff::1", "5f00::1", "fc00::1", "fd12:3456::1", "fe80::1", "fec0::1", "ff02::1", "ff0e::1",
	} {
		a := netip.MustParseAddr(address)
		if notice.Public(a) {
			t.Errorf("%s is taken for public", address)
		}
		for _, scheme := range []string{"https://", "http://"} {
			if err := (notice.Networks{}).CheckURL(scheme + netip.AddrPortFrom(a, 8080).String() + "/"); err == nil {
				t.Errorf("a webhook to %s%s is admitted", scheme, address)
			}
		}
	}
	for _, address := range []string{"8.8.8.8", "1.1.1.1", "100.63.0.1", "100.128.0.1", "172.32.0.1", "192.0.1.1",
		"198.20.0.1", "223.255.255.255", "2606:4700::1111", "2a00:1450::1"} {
		if !notice.Public(netip.MustParseAddr(address)) {
			t.Errorf("%s is refused", address)
		}
	}
}

func TestT74AnAllowedNetworkIsTheOneThatIsNamed(t *testing.T) {
	some := notice.Networks{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32")}
	for address, want := range map[string]bool{
		"10.1.2.3": true, "::ffff:10.1.2.3": true, "10.2.0.1": false, "fd00:1::5": true, "fd00:2::5": false,
		"64:ff9b::10.1.2.3": false, "127.0.0.1": false,
	} {
		for _, tls := range []bool{true, false} {
			if got := some.Admits(netip.MustParseAddr(address), tls); got != want {
				t.Errorf("%s over TLS %v: %v", address, tls, got)
			}
		}
	}
	if some.Admits(netip.MustParseAddr("8.8.8.8"), false) {
		t.Error("plain HTTP goes to the public Internet")
	}
}

func TestT74TheTextOfAURLIsHeldToItsForm(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://example.com":                            true,
		"https://example.com:8443/a?b=c":                 true,
		"http://example.com/":                            false,
		"https://user:secret@example.com/":               false,
		"https://user@example.com/":                      false,
		"https://example.com/#a":                         false,
		"https://example.com:0/":                         false,
		"https://example.com:/":                          false,
		"ftp://example.com/":                             false,
		"file:///etc/passwd":                             false,
		"https:///a":                                     false,
		"https:example.com":                              false,
		"//example.com/":                                 false,
		"":                                               false,
		"https://exa mple.com/":                          false,
		"https://example.com/\r\nHost: a":                false,
		"https://ex\u00e4mple.com/":                      false,
		"https://[fe80::1%25eth0]/":                      false,
		"https://127.0.0.1/":                             false,
		"https://[::ffff:10.0.0.1]/":                     false,
		"https://a.example/" + strings.Repeat("a", 2048): false,
	} {
		if err := (notice.Networks{}).CheckURL(url); (err == nil) != ok {
			t.Errorf("%q: %v", url, err)
		}
	}
}

// names is a DNS server of the test: it answers each question for an address of IPv4 with the next one of a list.
type names struct {
	conn  net.PacketConn
	mu    sync.Mutex
	asked int
	all   []netip.Addr
}

func resolve(t *testing.T, all ...string) (*names, *net.Resolver) {
	t.Helper()
	c, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &names{conn: c}
	for _, a := range all {
		n.all = append(n.all, netip.MustParseAddr(a))
	}
	t.Cleanup(func() { _ = c.Close() })
	go n.serve()
	return n, &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", c.LocalAddr().String())
	}}
}

func (n *names) serve() {
	b := make([]byte, 1500)
	for {
		size, from, err := n.conn.ReadFrom(b)
		if err != nil {
			return
		}
		q := b[12:size]
		end := 0
		for q[end] != 0 {
			end += int(q[end]) + 1
		}
		question := q[:end+5]
		kind := binary.BigEndian.Uint16(question[end+1:])
		out := append([]byte{b[0], b[1], 0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
		if kind == 1 {
			n.mu.Lock()
			a := n.all[min(n.asked, len(n.all)-1)].As4()
			n.asked++
			n.mu.Unlock()
			out[7] = 1
			out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
			out = append(out, a[:]...)
		}
		_, _ = n.conn.WriteTo(out, from)
	}
}

func TestT74AnAddressIsAskedForAtEachConnection(t *testing.T) {
	k := newKit(t)
	reached := receive(t, true, nil)
	_, port, _ := strings.Cut(strings.TrimPrefix(reached.URL, "https://"), ":")
	dns, resolver := resolve(t, "192.0.2.53", "127.0.0.1", "169.254.169.254", "127.0.0.1")
	w := k.open(k.ws, "https://hooks.example.com.:"+port+"/")
	k.send(func(c *webhook.Config) { c.Resolver, c.Networks, c.Roots = resolver, nil, reached.roots() })
	k.key()
	k.until("four attempts", func() bool { d := k.deliveries(w.ID); return len(d) == 1 && d[0].Attempts >= 4 })
	if d := k.deliveries(w.ID)[0]; d.Error != notice.ErrAddress || d.Status != 0 {
		t.Errorf("the last attempt: %+v", d)
	}
	if len(reached.got()) > 0 {
		t.Error("an address was reached that is refused")
	}
	dns.mu.Lock()
	defer dns.mu.Unlock()
	if dns.asked < 4 {
		t.Errorf("the name was looked up %d times", dns.asked)
	}
}

func TestT74AConnectionThatIsHeldOpenIsToAnAddressThatWasAdmitted(t *testing.T) {
	k := newKit(t)
	r := receive(t, false, nil)
	_, port, _ := strings.Cut(strings.TrimPrefix(r.URL, "http://"), ":")
	_, resolver := resolve(t, "127.0.0.1", "127.0.0.1", "10.0.0.1")
	k.open(k.ws, "http://hooks.example.com.:"+port+"/")
	k.send(func(c *webhook.Config) { c.Resolver = resolver })
	for range 3 {
		k.key()
	}
	k.until("the notices", func() bool { return len(r.got()) == 3 })
}

func TestT74NoRedirectIsFollowedAndNoProxyAsked(t *testing.T) {
	var proxied atomic.Int64
	proxy := receive(t, false, func(http.ResponseWriter, *http.Request, got) { proxied.Add(1) })
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	k := newKit(t)
	inside := receive(t, false, nil)
	r := receive(t, false, func(w http.ResponseWriter, q *http.Request, _ got) {
		http.Redirect(w, q, inside.URL, http.StatusTemporaryRedirect)
	})
	w := k.open(k.ws, r.URL)
	k.send()
	k.key()
	k.until("an attempt", func() bool { d := k.deliveries(w.ID); return len(d) == 1 && d[0].Attempts > 0 })
	if d := k.deliveries(w.ID)[0]; d.Error != notice.ErrRedirect || d.Status != 307 {
		t.Errorf("the attempt: %+v", d)
	}
	if len(inside.got()) > 0 || proxied.Load() > 0 {
		t.Error("a redirect was followed, or a proxy asked")
	}
}

func TestT74AHugeAndASlowAnswerCostNothing(t *testing.T) {
	k := newKit(t)
	var wrote atomic.Int64
	huge := receive(t, false, func(w http.ResponseWriter, _ *http.Request, _ got) {
		block := make([]byte, 1<<20)
		for range 200 {
			n, err := w.Write(block)
			if wrote.Add(int64(n)); err != nil {
				return
			}
		}
	})
	slow := receive(t, false, func(w http.ResponseWriter, q *http.Request, _ got) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		for range 100 {
			select {
			case <-q.Context().Done():
				return
			case <-time.After(100 * time.Millisecond):
				_, _ = w.Write([]byte("x"))
			}
		}
	})
	heads := receive(t, false, func(w http.ResponseWriter, _ *http.Request, _ got) {
		w.Header().Set("X-Long", strings.Repeat("x", 1<<20))
	})
	one, two, three := k.open(k.ws, huge.URL), k.open(k.ws, slow.URL), k.open(k.ws, heads.URL)
	k.send()
	began := time.Now()
	k.key()
	k.until("both deliveries", func() bool {
		a, b := k.deliveries(one.ID), k.deliveries(two.ID)
		return len(a) == 1 && len(b) == 1 && a[0].State == notice.Delivered && b[0].State == notice.Delivered
	})
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("took %v", took)
	}
	if n := wrote.Load(); n > 20<<20 {
		t.Errorf("%d bytes of the answer were taken", n)
	}
	k.until(
		"a refusal of a long head", func() bool { d := k.deliveries(three.ID); return len(d) == 1 && d[0].Attempts > 0 },
	)
	if d := k.deliveries(three.ID)[0]; d.State == notice.Delivered {
		t.Errorf("a long head: %+v", d)
	}
}
