package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/keyward/keyward/internal/canonpath"
	"github.com/keyward/keyward/internal/cataloguefile"
	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/routes"
	"github.com/keyward/keyward/internal/text"
)

type routesCmd struct {
	Check       routesCheck       `cmd:"" help:"Check a route table's file."`
	Explain     routesExplain     `cmd:"" help:"Say which rule matches a request, and what it demands."`
	FromOpenAPI routesFromOpenAPI `cmd:"" name:"from-openapi" help:"Write a first table from an OpenAPI document's security requirements."`
}

// settingsFlags are the settings that commands about gateways read beside the environment and the file.
type settingsFlags struct {
	Catalogue *string `placeholder:"FILE" help:"The catalogue of permissions. Default: the server's. [KEYWARD_CATALOGUE]"`
	Config    *string `placeholder:"FILE" help:"The server's file of settings. [KEYWARD_CONFIG]"`
}

func (f *settingsFlags) load() (config.Config, error) {
	given := make(map[string]string)
	for name, v := range map[string]*string{"catalogue": f.Catalogue, config.ConfigFlag: f.Config} {
		if v != nil {
			given[name] = *v
		}
	}
	return config.Load(config.Sources{Flags: given, Environ: os.Environ()})
}

func readCatalogue(path string) (*perm.Catalogue, error) {
	if path == "" {
		return perm.Builtin(), nil
	}
	return cataloguefile.Read(path)
}

type routesCheck struct {
	File string `arg:"" type:"existingfile" help:"A route table, YAML."`
	settingsFlags
}

func (routesCheck) Help() string {
	return `What is wrong is said as FILE:LINE:COLUMN. Public rules are listed, since nobody is asked for a key there.

Example of a file:
  routes:
    - {method: GET, path: '/v1/calls/{id}', permissions: [calls:read]}
    - {method: [POST, PUT], path: /v1/calls, permissions: {any: [calls:write, calls:delete]}, cost: 5}
    - {method: GET, path: /status, public: true}`
}

// Run checks a file.
func (c *routesCheck) Run(_ context.Context, a *app) error {
	table, err := readTable(&c.settingsFlags, c.File)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.Out, "%s: %d rules\n", c.File, len(table.Routes()))
	for _, r := range table.Routes() {
		if r.Public {
			fmt.Fprintf(a.Out, "public: %s\n", r.Signature())
		}
	}
	return nil
}

// readTable reads the named table, or else the server's.
func readTable(f *settingsFlags, file string) (*routes.Table, error) {
	cfg, err := f.load()
	if err != nil {
		return nil, err
	}
	if file == "" {
		if file = cfg.Routes; file == "" {
			return nil, usageError("there is no route table: name one with --routes or KEYWARD_ROUTES")
		}
	}
	catalogue, err := readCatalogue(cfg.Catalogue)
	if err != nil {
		return nil, err
	}
	return routes.Read(file, catalogue)
}

type routesExplain struct {
	Request string  `arg:"" help:"Method and path, such as 'GET /v1/calls/42'."`
	Routes  *string `placeholder:"FILE" help:"The table. Default: the server's. [KEYWARD_ROUTES]"`
	settingsFlags
}

func (routesExplain) Help() string {
	return `The request is looked for as a gateway's check would look for it. The status is 3 where it would be denied whatever its key.

Examples:
  keyward routes explain 'GET /v1/calls/42'
  keyward routes explain --routes routes.yaml 'POST /v1/calls'`
}

// Run explains a request.
func (c *routesExplain) Run(_ context.Context, a *app) error {
	method, uri, ok := strings.Cut(c.Request, " ")
	if !ok || method == "" || !strings.HasPrefix(uri, "/") {
		return usageError(fmt.Sprintf("%q: want a method and a path, such as 'GET /v1/calls/42'", c.Request))
	}
	file := ""
	if c.Routes != nil {
		file = *c.Routes
	}
	table, err := readTable(&c.settingsFlags, file)
	if err != nil {
		return err
	}
	path, _, _ := strings.Cut(uri, "?")
	if !canonpath.Open(path) {
		fmt.Fprintln(a.Out, "denied: the path is not in canonical form")
		return status(exitInvalid)
	}
	r := table.Match(method, path)
	if r == nil {
		fmt.Fprintln(a.Out, "denied: no rule matches")
		return status(exitInvalid)
	}
	pairs := []string{"rule", fmt.Sprintf("%s:%d", table.Name(), r.Line), "matches", r.Signature(), "demands", r.Says()}
	if !r.Public {
		pairs = append(pairs, "costs", fmt.Sprint(r.Cost))
	}
	if r.CORS != nil {
		pairs = append(pairs, "browsers", r.CORS.Says())
	}
	facts(a.Out, pairs...)
	return nil
}

type routesFromOpenAPI struct {
	File       string   `arg:"" type:"existingfile" help:"An OpenAPI 3 document, YAML or JSON."`
	CORSOrigin []string `name:"cors-origin" placeholder:"ORIGIN" help:"An origin whose pages may use every route, such as https://app.example.com. Repeatable."`
	settingsFlags
}

func (routesFromOpenAPI) Help() string {
	return `The scopes of an operation's security requirements become its permissions. What the document leaves open, or a rule cannot say, is written
as a comment, and so is denied until somebody decides: read the table before you use it.

Example:
  keyward routes from-openapi openapi.yaml > routes.yaml && keyward routes check routes.yaml`
}

// Run writes a table.
func (c *routesFromOpenAPI) Run(_ context.Context, a *app) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	catalogue, err := readCatalogue(cfg.Catalogue)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	table, err := routes.FromOpenAPI(filepath.Base(c.File), text.WithoutBOM(data), catalogue, c.CORSOrigin...)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(a.Out, table)
	return err
}
