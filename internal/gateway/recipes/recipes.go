// Package recipes owns the configurations with which proxies ask Keyward: one template for each, from which the command
// prints and the pages in docs/gateways are made. It does not own how Keyward answers (gateway).
package recipes

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"text/template"
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
	for name, at := range map[string]string{"Keyward": v.Keyward, "gRPC": v.GRPC, "listen": v.Listen, "backend": v.Backend} {
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
	t, err := template.New(file).Option("missingkey=error").Parse(string(text))
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, filling{v}); err != nil {
		return "", err
	}
	return out.String(), nil
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

func (f filling) ListenHost() string  { return part(f.Listen, 0) }
func (f filling) ListenPort() string  { return part(f.Listen, 1) }
func (f filling) GRPCHost() string    { return part(f.GRPC, 0) }
func (f filling) GRPCPort() string    { return part(f.GRPC, 1) }
func (f filling) BackendHost() string { return part(f.Backend, 0) }
func (f filling) BackendPort() string { return part(f.Backend, 1) }
