// Package recipes owns the configurations with which proxies ask Keyward: one template for each, from which the command
// prints and the pages in docs/gateways are made. It does not own how Keyward answers (gateway).
package recipes

import (
	"embed"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

//go:embed templates
var files embed.FS

// Recipe is a proxy with its files, the first of which is the configuration.
type Recipe struct {
	Name  string
	Title string
	Files []string
	// Tested says that the project's own tests run it against the real program.
	Tested bool
}

// All lists the recipes.
func All() []Recipe {
	return []Recipe{
		{"nginx", "nginx", []string{"nginx.conf"}, true},
		{"haproxy", "HAProxy", []string{"haproxy.cfg", "keyward.lua"}, true},
		{"caddy", "Caddy", []string{"Caddyfile"}, true},
		{"traefik", "Traefik", []string{"traefik.yaml"}, false},
		{"envoy", "Envoy", []string{"envoy.yaml"}, false},
		{"kong", "Kong", []string{"kong.yaml"}, false},
	}
}

// Named finds a recipe.
func Named(name string) (Recipe, bool) {
	all := All()
	i := slices.IndexFunc(all, func(r Recipe) bool { return r.Name == name })
	if i < 0 {
		return Recipe{}, false
	}
	return all[i], true
}

// Values are the parameters of a recipe. All addresses are host:port.
type Values struct {
	Keyward     string   // where Keyward answers HTTP
	GRPC        string   // where it answers Envoy
	Listen      string   // where the proxy listens
	Backend     string   // the API
	Environment string   // whose keys pass: live, test, or "" for both
	Permissions []string // what every request must hold; none leaves it to the route table
	Dir         string   // where the recipe's files are put
}

// Default holds the values of the documentation's pages.
func Default() Values {
	return Values{
		Keyward: "127.0.0.1:8080", GRPC: "127.0.0.1:9001", Listen: "0.0.0.0:8000", Backend: "127.0.0.1:9000",
		Environment: "live", Dir: "/etc/haproxy",
	}
}

// Fill returns one file of a recipe. It refuses a value that is not an address: the text goes into another program's
// configuration.
func Fill(file string, v Values) (string, error) {
	for name, at := range map[string]string{"Keyward": v.Keyward, "gRPC": v.GRPC, "listen": v.Listen,
		"backend": v.Backend} {
		if err := checkAddress(at); err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
	}
	if strings.ContainsAny(v.Dir, " \t\r\n\"'#\\") {
		return "", fmt.Errorf("directory %q: holds a character that a configuration reads as its own", v.Dir)
	}
	text, err := files.ReadFile("templates/" + file)
	if err != nil {
		return "", fmt.Errorf("no such file of a recipe: %s", file)
	}
	words, err := filling{v}.words()
	if err != nil {
		return "", err
	}
	out := strings.NewReplacer(words...).Replace(string(text))
	if _, rest, more := strings.Cut(out, "{{"); more {
		return "", fmt.Errorf("%s: nothing stands for {{%.20s", file, rest)
	}
	return out, nil
}

func checkAddress(at string) error {
	host, port, err := net.SplitHostPort(at)
	if err != nil || port == "" || strings.Trim(port, "0123456789") != "" || strings.ContainsFunc(host, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:", r)
	}) {
		return fmt.Errorf("%q: want host:port", at)
	}
	return nil
}

// filling is the data of the templates.
type filling struct{ Values }

// Query is the query of /check. nginx passes on 401 and 403 alone, so that it asks for deny_status.
func (f filling) Query(denyStatus bool) string {
	var parts []string
	if denyStatus {
		parts = append(parts, "deny_status=403")
	}
	if f.Environment != "" {
		parts = append(parts, "environment="+url.QueryEscape(f.Environment))
	}
	for _, p := range f.Permissions {
		parts = append(parts, "permission="+url.QueryEscape(p))
	}
	return strings.Join(parts, "&")
}

// QueryMark is the query without deny_status, with its question mark, or nothing.
func (f filling) QueryMark() string {
	if q := f.Query(false); q != "" {
		return "?" + q
	}
	return ""
}

// Extensions is the same demand for Envoy: a mapping in the form that YAML and JSON share.
func (f filling) Extensions() (string, error) {
	demand := map[string]string{}
	if f.Environment != "" {
		demand["environment"] = f.Environment
	}
	if len(f.Permissions) > 0 {
		demand["permission"] = strings.Join(f.Permissions, ",")
	}
	text, err := json.Marshal(demand)
	return string(text), err
}

func part(at string, i int) string {
	host, port, _ := net.SplitHostPort(at)
	if host == "" {
		host = "0.0.0.0"
	}
	return [2]string{host, port}[i]
}

// words are the marks of the templates, each followed by the text that stands in its place.
func (f filling) words() ([]string, error) {
	extensions, err := f.Extensions()
	if err != nil {
		return nil, err
	}
	return []string{
		"{{.Keyward}}", f.Keyward, "{{.Backend}}", f.Backend, "{{.Listen}}", f.Listen, "{{.Dir}}", f.Dir,
		"{{.Query true}}", f.Query(true), "{{.Query false}}", f.Query(false), "{{.QueryMark}}", f.QueryMark(),
		"{{.Extensions}}", extensions,
		"{{.ListenHost}}", part(f.Listen, 0), "{{.ListenPort}}", part(f.Listen, 1),
		"{{.GRPCHost}}", part(f.GRPC, 0), "{{.GRPCPort}}", part(f.GRPC, 1),
		"{{.BackendHost}}", part(f.Backend, 0), "{{.BackendPort}}", part(f.Backend, 1),
	}, nil
}
