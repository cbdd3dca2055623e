package cli

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/gateway/recipes"
)

type gatewayCmd struct {
	Proxy       string   `arg:"" enum:"nginx,haproxy,caddy,traefik,envoy,kong" help:"nginx, haproxy, caddy, traefik, envoy or kong."`
	Listen      string   `default:"0.0.0.0:8000" placeholder:"HOST:PORT" help:"Where the proxy listens. Default: ${default}."`
	Backend     string   `default:"127.0.0.1:9000" placeholder:"HOST:PORT" help:"The API behind it. Default: ${default}."`
	Environment string   `enum:"live,test,any" default:"live" placeholder:"NAME" help:"Whose keys pass: live, test or any. Default: ${default}."`
	Permission  []string `placeholder:"NAME,..." help:"What every request must hold, beside what the route table says."`
	Write       string   `type:"path" placeholder:"DIR" help:"Write the files into a folder instead of printing the first one."`
	File        string   `placeholder:"NAME" help:"Print another of the recipe's files."`
	settingsFlags
}

func (gatewayCmd) Help() string {
	return `A complete configuration, filled in with the server's settings as flags, environment and file give them. It lets nothing pass without
Keyward's yes. Nothing is started and nothing is asked.

Examples:
  keyward gateway nginx --backend 127.0.0.1:3000 > /etc/nginx/nginx.conf
  keyward gateway haproxy --write /etc/haproxy
  keyward gateway haproxy --file keyward.lua`
}

// Run prints a recipe.
func (c *gatewayCmd) Run(_ context.Context, a *app) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if err := c.checkPermissions(cfg); err != nil {
		return err
	}
	recipe, _ := recipes.Named(c.Proxy)
	c.advise(a, cfg, recipe)
	v := recipes.Default()
	v.Keyward, v.Listen, v.Backend, v.Permissions = local(cfg.Addr), c.Listen, c.Backend, c.Permission
	if v.Environment = c.Environment; c.Environment == "any" {
		v.Environment = ""
	}
	if cfg.DataAddr != "" { // the same answers, and nothing else
		v.Keyward = local(cfg.DataAddr)
	}
	if cfg.GRPCAddr != "" {
		v.GRPC = local(cfg.GRPCAddr)
	}
	if c.Write != "" {
		v.Dir = c.Write
		return c.write(a, recipe, v)
	}
	file := recipe.Files[0]
	if c.File != "" {
		file = c.File
	}
	text, err := recipes.Fill(file, v)
	if err != nil {
		return usageError(err.Error())
	}
	_, err = fmt.Fprint(a.Out, text)
	return err
}

func (c *gatewayCmd) checkPermissions(cfg config.Config) error {
	catalogue, err := readCatalogue(cfg.Catalogue)
	if err != nil {
		return err
	}
	for _, p := range c.Permission {
		if !catalogue.Has(p) {
			return usageError(fmt.Sprintf("--permission: %q is not in the catalogue of permissions", p))
		}
	}
	return nil
}

func (c *gatewayCmd) write(a *app, recipe recipes.Recipe, v recipes.Values) error {
	for _, file := range recipe.Files {
		text, err := recipes.Fill(file, v)
		if err != nil {
			return usageError(err.Error())
		}
		path := filepath.Join(c.Write, file)
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return fmt.Errorf("--write: %w: name a folder that is there, that this user may write, and without these files", err)
		}
		if _, err := f.WriteString(text); err != nil {
			_ = f.Close()
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
		fmt.Fprintln(a.Out, path)
	}
	return nil
}

// advise prints the requirements of the recipe that the settings do not meet.
func (c *gatewayCmd) advise(a *app, cfg config.Config, recipe recipes.Recipe) {
	say := func(format string, args ...any) {
		fmt.Fprintf(a.Err, paint(a.Err, yellow, "note:")+" "+format+"\n", args...)
	}
	if len(recipe.Files) > 1 && c.Write == "" && c.File == "" {
		say("there are %d files: --write DIR writes them, --file %s prints the other", len(recipe.Files), recipe.Files[1])
	}
	if recipe.Name == "envoy" {
		if cfg.GRPCAddr == "" {
			say("KEYWARD_GRPC_ADDR is not set: Keyward answers no gRPC; the recipe takes %s", recipes.Default().GRPC)
		}
	} else if len(cfg.TrustedProxies) == 0 {
		say("KEYWARD_TRUSTED_PROXIES is not set: Keyward believes no proxy, and a route table then denies everything")
	}
	if cfg.Routes == "" && len(c.Permission) == 0 {
		say("there is neither KEYWARD_ROUTES nor --permission: every key of the environment that is good will pass")
	}
	if cfg.TLS() {
		say("the server speaks TLS and the recipe does not: let it ask with TLS, or on a listener of this machine alone")
	}
	if !recipe.Tested {
		say("this recipe follows the program's documentation; the project's tests do not run it")
	}
}

// local is an address that can be called from this machine.
func local(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	if port == "0" {
		port = strings.TrimPrefix(config.Default().Addr, "127.0.0.1:")
	}
	return net.JoinHostPort(host, port)
}
