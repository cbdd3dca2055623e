package archtest_test

import "github.com/keyward/keyward/internal/archtest"

// keyward is the house as it is meant to be. A row says all that its room imports beyond the standard library; where a
// failure prints a row "as it is", the question is which of the two is right.
var keyward = archtest.House{
	Module: "github.com/keyward/keyward",

	Rooms: []archtest.Room{
		// Values: no I/O, no clock, no context.
		{Path: "internal/keyfmt", Level: archtest.Values},
		{Path: "internal/id", Level: archtest.Values},
		{Path: "internal/perm", Level: archtest.Values},
		{Path: "internal/fault", Level: archtest.Values},
		{Path: "internal/verdict", Level: archtest.Values, May: []string{"internal/fault"}},
		{Path: "internal/accesslog", Level: archtest.Values},
		{Path: "internal/text", Level: archtest.Values, May: []string{
			"golang.org/x/text/cases", "golang.org/x/text/unicode/norm",
		}},
		{Path: "internal/strictjson", Level: archtest.Values, May: []string{
			"github.com/go-json-experiment/json", "github.com/go-json-experiment/json/jsontext", "internal/fault",
		}},

		{Path: "internal/dpop", Level: archtest.Values, May: []string{
			"github.com/go-json-experiment/json", "github.com/go-json-experiment/json/jsontext",
		}},
		{Path: "internal/dpop/dpoptest", Level: archtest.Values, ForTest: true},
		{Path: "internal/hugepage", Level: archtest.Values},
		{Path: "internal/packing", Level: archtest.Values, May: []string{"github.com/klauspost/compress/zstd"}},
		{Path: "internal/prefetch", Level: archtest.Values},
		{Path: "internal/canonpath", Level: archtest.Values},
		{Path: "internal/strictyaml", Level: archtest.Values, May: []string{"go.yaml.in/yaml/v3"}},

		// Records and rules.
		{Path: "internal/routes", Level: archtest.Records, May: []string{
			"go.yaml.in/yaml/v3", "internal/account", "internal/canonpath", "internal/id", "internal/perm",
			"internal/strictyaml",
		}},
		{
			Path: "internal/ratelimit", Level: archtest.Records,
			May: []string{"internal/hugepage", "internal/id", "internal/prefetch"},
		},
		{Path: "internal/ratelimit/lease", Level: archtest.Records, May: []string{"internal/id", "internal/ratelimit"}},
		{Path: "internal/ratelimit/limittest", Level: archtest.Records, ForTest: true, May: []string{
			"internal/id", "internal/ratelimit", "pgregory.net/rapid",
		}},
		{Path: "internal/usage", Level: archtest.Records, May: []string{"internal/id", "internal/verdict"}},
		{
			Path: "internal/refusal", Level: archtest.Records, May: []string{"internal/id", "internal/perm", "internal/verdict"},
		},
		{Path: "internal/account", Level: archtest.Records, May: []string{
			"internal/id", "internal/keyfmt", "internal/perm", "internal/ratelimit",
		}},
		{Path: "internal/apikey", Level: archtest.Records, May: []string{
			"internal/account", "internal/id", "internal/keyfmt", "internal/perm", "internal/ratelimit",
		}},
		{Path: "internal/audit", Level: archtest.Records, May: []string{"internal/id"}},
		{Path: "internal/notice", Level: archtest.Records, May: []string{"internal/id"}},
		{Path: "internal/session", Level: archtest.Records, May: []string{
			"internal/account", "internal/id", "internal/keyfmt", "internal/ratelimit",
		}},
		{Path: "internal/feed", Level: archtest.Records, May: []string{
			"internal/account", "internal/apikey", "internal/id",
		}},
		{Path: "internal/feed/feedtest", Level: archtest.Records, ForTest: true, May: []string{
			"internal/apikey", "internal/feed", "internal/id",
		}},

		// The port.
		{Path: "internal/clock", Level: archtest.Port},
		{Path: "internal/store", Level: archtest.Port, May: []string{
			"internal/account", "internal/apikey", "internal/audit", "internal/clock", "internal/feed",
			"internal/id", "internal/keyfmt", "internal/notice", "internal/perm", "internal/ratelimit", "internal/session",
			"internal/usage",
		}},
		{Path: "internal/webhook", Level: archtest.Engines, May: []string{
			"internal/account", "internal/audit", "internal/id", "internal/keyfmt", "internal/notice", "internal/store",
		}},
		{Path: "internal/store/storetest", Level: archtest.Port, ForTest: true, May: []string{
			"github.com/google/go-cmp/cmp", "github.com/google/go-cmp/cmp/cmpopts", "internal/account", "internal/apikey",
			"internal/clock",
			"internal/audit", "internal/feed", "internal/id", "internal/keyfmt", "internal/perm", "internal/ratelimit",
			"internal/session",
			"internal/feed/feedtest", "internal/notice", "internal/store", "internal/text", "pgregory.net/rapid",
			"internal/usage",
		}},

		// Drivers and engines.
		{Path: "internal/store/sqlite", Level: archtest.Engines, May: []string{
			"internal/store", "internal/text", "modernc.org/sqlite", "modernc.org/sqlite/lib",
		}},
		{Path: "internal/store/postgres", Level: archtest.Engines, May: []string{
			"github.com/jackc/pgx/v5", "github.com/jackc/pgx/v5/pgconn", "github.com/jackc/pgx/v5/pgxpool", "internal/store",
			"internal/text",
		}},
		{
			Path: "internal/store/postgres/pgtest", Level: archtest.Engines, ForTest: true,
			May: []string{"github.com/jackc/pgx/v5"},
		},
		{Path: "internal/ratelimit/redislimit", Level: archtest.Engines, May: []string{
			"github.com/redis/rueidis", "internal/id", "internal/ratelimit", "internal/ratelimit/lease",
		}},
		{Path: "internal/replica", Level: archtest.Engines, May: []string{
			"internal/account", "internal/apikey", "internal/feed", "internal/hugepage", "internal/id", "internal/keyfmt",
			"internal/perm", "internal/prefetch", "internal/ratelimit",
		}},
		{Path: "internal/auditreplay", Level: archtest.Engines, May: []string{
			"internal/account", "internal/apikey", "internal/audit", "internal/id", "internal/notice", "internal/perm",
			"internal/store", "internal/text",
		}},
		{
			Path: "internal/logarchive", Level: archtest.Engines,
			May: []string{"internal/audit", "internal/id", "internal/store"},
		},
		{Path: "internal/storecopy", Level: archtest.Engines, May: []string{"internal/store"}},
		{Path: "internal/follow", Level: archtest.Engines, May: []string{"internal/feed", "internal/replica"}},
		{Path: "internal/cluster", Level: archtest.Engines, May: []string{
			"internal/feed", "internal/follow", "internal/id", "internal/replica", "internal/store",
		}},
		{Path: "internal/verify", Level: archtest.Engines, May: []string{
			"internal/account", "internal/apikey", "internal/clock", "internal/id", "internal/keyfmt", "internal/perm",
			"internal/ratelimit",
			"internal/refusal", "internal/replica", "internal/verdict",
		}},
		{Path: "internal/tally", Level: archtest.Engines, May: []string{
			"internal/id", "internal/perm", "internal/refusal", "internal/store", "internal/usage", "internal/verify",
		}},
		{Path: "internal/lender", Level: archtest.Engines, May: []string{
			"internal/account", "internal/id", "internal/ratelimit", "internal/ratelimit/lease", "internal/refusal",
			"internal/replica", "internal/store", "internal/tally", "internal/usage",
		}},
		{Path: "internal/oidc", Level: archtest.Engines, May: []string{
			"github.com/coreos/go-oidc/v3/oidc", "golang.org/x/oauth2", "internal/id", "internal/keyfmt",
		}},
		{Path: "internal/passkey", Level: archtest.Engines, May: []string{
			"github.com/go-webauthn/webauthn/protocol", "github.com/go-webauthn/webauthn/webauthn", "internal/keyfmt",
			"internal/session",
		}},
		{Path: "internal/control", Level: archtest.Engines, May: []string{
			"internal/account", "internal/apikey", "internal/audit", "internal/fault", "internal/id",
			"internal/keyfmt", "internal/notice", "internal/perm", "internal/ratelimit", "internal/session", "internal/store",
			"internal/strictjson", "internal/text", "internal/usage",
		}},

		{Path: "internal/installation", Level: archtest.Engines, May: []string{"internal/cluster", "internal/control"}},

		// Transports, and the document of the API.
		{Path: "api", Level: archtest.Transports,
			May: []string{"github.com/a-h/templ", "github.com/a-h/templ/runtime", "go.yaml.in/yaml/v3"}},
		{Path: "api/apitest", Level: archtest.Transports, ForTest: true, May: []string{
			"api", "github.com/santhosh-tekuri/jsonschema/v6",
		}},
		{Path: "internal/wire", Level: archtest.Transports, May: []string{
			"github.com/go-json-experiment/json", "github.com/go-json-experiment/json/jsontext",
			"internal/id", "internal/strictjson",
		}},
		{Path: "internal/gateway", Level: archtest.Transports, May: []string{
			"internal/account", "internal/canonpath", "internal/fault", "internal/httplimit", "internal/id", "internal/keyfmt",
			"internal/perm", "internal/routes",
			"internal/session", "internal/verify", "internal/wire",
		}},
		{Path: "internal/verifycodec", Level: archtest.Transports, May: []string{
			"internal/account", "internal/fault", "internal/id", "internal/keyfmt", "internal/perm", "internal/ratelimit",
			"internal/verify", "internal/wire",
		}},
		{Path: "internal/httplimit", Level: archtest.Transports, May: []string{"internal/ratelimit"}},
		{Path: "internal/gateway/recipes", Level: archtest.Transports},
		{Path: "internal/gateway/extauthz", Level: archtest.Transports, May: []string{
			"github.com/envoyproxy/go-control-plane/envoy/config/core/v3",
			"github.com/envoyproxy/go-control-plane/envoy/service/auth/v3",
			"github.com/envoyproxy/go-control-plane/envoy/type/v3", "google.golang.org/genproto/googleapis/rpc/status",
			"google.golang.org/grpc", "google.golang.org/grpc/codes", "google.golang.org/grpc/credentials",
			"google.golang.org/grpc/health",
			"google.golang.org/grpc/health/grpc_health_v1", "google.golang.org/grpc/keepalive",
			"google.golang.org/grpc/reflection",
			"google.golang.org/grpc/status", "google.golang.org/protobuf/proto",
			"google.golang.org/protobuf/types/known/structpb", "internal/accesslog", "internal/gateway",
		}},
		{Path: "internal/feedhttp", Level: archtest.Transports, May: []string{
			".", "internal/account", "internal/apikey", "internal/feed", "internal/id", "internal/keyfmt",
			"internal/perm", "internal/ratelimit", "internal/replica", "internal/verify",
			"github.com/go-json-experiment/json", "internal/ratelimit/lease", "internal/refusal", "internal/usage",
			"internal/wire",
		}},
		{Path: "internal/follower", Level: archtest.Transports, May: []string{
			"internal/account", "internal/feed", "internal/feedhttp", "internal/follow", "internal/id", "internal/keyfmt",
			"internal/perm", "internal/replica", "internal/verify", "internal/ratelimit", "internal/ratelimit/lease",
		}},
		{Path: "internal/httpapi", Level: archtest.Transports, May: []string{
			"internal/dpop",
			"internal/feed", "internal/feedhttp",
			"internal/accesslog", "internal/account", "internal/apikey", "internal/audit", "internal/canonpath",
			"internal/cluster", "internal/control", "internal/fault",
			"internal/fastpath", "internal/gateway", "internal/verifycodec", "internal/httplimit", "internal/id",
			"internal/installation", "internal/keyfmt", "internal/oidc", "internal/perm",
			"internal/ratelimit", "internal/session", "internal/strictjson", "internal/text", "internal/usage",
			"internal/verify",
			"internal/notice", "internal/wire",
			"internal/lender", "internal/packing", "internal/ratelimit/lease", "internal/refusal",
		}},
		{Path: "internal/dashboard", Level: archtest.Transports, May: []string{
			"github.com/a-h/templ", "github.com/a-h/templ/runtime",
			"internal/account", "internal/apikey", "internal/audit", "internal/cluster", "internal/control", "internal/fault",
			"internal/id", "internal/installation", "internal/keyfmt", "internal/notice",
			"internal/passkey", "internal/perm", "internal/ratelimit", "internal/session", "internal/signin", "internal/text",
			"internal/usage",
			"internal/verify",
		}},
		{Path: "internal/signin", Level: archtest.Transports,
			May: []string{"github.com/a-h/templ", "github.com/a-h/templ/runtime",
				"internal/control", "internal/fault", "internal/id", "internal/keyfmt", "internal/oidc",
				"internal/passkey", "internal/session",
			}},
		{Path: "internal/mcp", Level: archtest.Transports, May: []string{
			".", "github.com/google/jsonschema-go/jsonschema", "github.com/modelcontextprotocol/go-sdk/mcp", "internal/keyfmt",
			"internal/session",
		}},
		{Path: "internal/portal", Level: archtest.Transports, May: []string{"internal/control", "internal/id"}},
		{Path: "internal/dataplane", Level: archtest.Transports, May: []string{"internal/fastpath", "internal/verify"}},
		{Path: "internal/fastpath", Level: archtest.Transports, May: []string{"internal/gateway", "internal/verify"}},
		{Path: "internal/metrics", Level: archtest.Transports, May: []string{
			"github.com/prometheus/client_golang/prometheus",
			"github.com/prometheus/client_golang/prometheus/collectors",
			"github.com/prometheus/client_golang/prometheus/promhttp",
		}},

		// The public client: the other end of the same wire.
		{Path: ".", Level: archtest.Transports},

		// Composition.
		{Path: "internal/cataloguefile", Level: archtest.Composition, May: []string{
			"internal/account", "internal/perm", "internal/strictyaml", "internal/text", "go.yaml.in/yaml/v3",
		}},
		{Path: "internal/config", Level: archtest.Composition, May: []string{
			"internal/accesslog", "internal/feedhttp", "internal/id", "internal/keyfmt", "internal/ratelimit/lease",
			"internal/ratelimit/redislimit",
			"internal/text",
			"internal/usage", "go.yaml.in/yaml/v3",
		}},
		{Path: "internal/doctor", Level: archtest.Composition, May: []string{
			"internal/canonpath", "internal/config", "internal/keyfmt", "internal/oidc", "internal/ratelimit/redislimit",
			"internal/routes",
		}},
		{Path: "internal/database", Level: archtest.Composition, May: []string{
			"internal/config", "internal/store", "internal/store/postgres", "internal/store/sqlite",
		}},
		{Path: "internal/server", Level: archtest.Composition, May: []string{
			"internal/account", "internal/database", "internal/doctor", "api", "internal/cataloguefile", "internal/clock",
			"internal/cluster", "internal/config", "internal/control", "internal/dashboard", "internal/dataplane",
			"internal/fastpath", "internal/fault", "internal/feed", "internal/feedhttp", "internal/follower", "internal/wire",
			"internal/gateway", "internal/gateway/extauthz", "internal/httpapi", "internal/httplimit", "internal/id",
			"internal/installation", "internal/keyfmt", "internal/mcp", "internal/metrics",
			"internal/logarchive", "internal/oidc", "internal/packing", "internal/passkey", "internal/perm", "internal/portal",
			"internal/ratelimit",
			"internal/ratelimit/redislimit", "internal/replica", "internal/routes",
			"internal/follow",
			"internal/signin", "internal/store",
			"internal/store/postgres", "internal/tally", "internal/verify",
			"internal/lender", "internal/ratelimit/lease", "internal/webhook",
		}},
		{Path: "internal/command", Level: archtest.Composition,
			May: []string{"github.com/spf13/cobra", "github.com/spf13/pflag"}},
		{Path: "internal/cli", Level: archtest.Composition, May: []string{
			".", "github.com/coreos/go-systemd/v22/daemon", "github.com/mattn/go-isatty", "github.com/spf13/cobra",
			"github.com/spf13/pflag", "internal/audit", "internal/canonpath", "internal/cataloguefile",
			"internal/apikey", "internal/auditreplay", "internal/command", "internal/config", "internal/database",
			"internal/doctor", "internal/feed", "internal/gateway/recipes", "internal/id", "internal/installation",
			"internal/keyfmt", "internal/logarchive", "internal/mcp", "internal/storecopy", "internal/perm", "internal/routes",
			"internal/server", "internal/store", "internal/store/postgres", "internal/store/sqlite", "internal/text",
		}},

		// Rooms that no inner room imports.
		{Path: "keywardtest", Level: archtest.Outside, May: []string{
			".", "internal/config", "internal/keyfmt", "internal/server",
		}},
		{Path: "keyhttp", Level: archtest.Outside, May: []string{"."}},
		{Path: "verifier", Level: archtest.Outside, May: []string{
			"internal/account", "internal/id", ".", "internal/fault", "internal/feedhttp", "internal/follower",
			"internal/keyfmt", "internal/ratelimit",
			"internal/verify", "internal/verifycodec", "internal/wire", "internal/ratelimit/lease",
		}},
		{Path: "cmd/keyward", Level: archtest.Outside, May: []string{"internal/cli"}},
		{Path: "sdk/element/build", Level: archtest.Outside, May: []string{"internal/portal"}},
		{Path: "examples/portal", Level: archtest.Outside, May: []string{".", "keyhttp"}},
		{Path: "bench", Level: archtest.Outside, ForTest: true, May: []string{
			"github.com/jackc/pgx/v5", "internal/ratelimit/redislimit", "internal/store/postgres",
			"internal/store/postgres/pgtest",
			".", "verifier", "github.com/envoyproxy/go-control-plane/envoy/config/core/v3",
			"github.com/envoyproxy/go-control-plane/envoy/service/auth/v3",
			"google.golang.org/grpc", "google.golang.org/grpc/credentials/insecure", "google.golang.org/protobuf/proto",
			"api", "internal/config", "internal/gateway/recipes", "internal/server",
			"internal/account", "internal/apikey", "internal/clock", "internal/cluster", "internal/control",
			"internal/dashboard", "internal/feed", "internal/id", "internal/installation", "internal/keyfmt",
			"internal/notice", "internal/packing", "internal/perm", "internal/ratelimit", "internal/replica", "internal/store",
			"internal/store/sqlite", "internal/tally",
			"internal/usage", "internal/verify",
		}},
		{Path: "bench/sim", Level: archtest.Outside},
		{Path: "test/mutants", Level: archtest.Outside, ForTest: true},
		{Path: "internal/archtest", Level: archtest.Outside, ForTest: true},
		{Path: "internal/rig", Level: archtest.Values, ForTest: true},
		{Path: "internal/conversation", Level: archtest.Values, ForTest: true, May: []string{
			"internal/dpop/dpoptest",
		}},
	},

	Bans: []archtest.Ban{
		{Room: "internal/keyfmt", Never: impure},
		{Room: "internal/id", Never: impure},
		{Room: "internal/perm", Never: impure},
		{Room: "internal/fault", Never: impure},
		{Room: "internal/text", Never: impure},
		{Room: "internal/strictjson", Never: impure},

		// The hot path: a verification allocates and formats nothing, and asks no store.
		{Room: "internal/verify", Never: []string{
			"internal/store", "net/http", "encoding/json", "github.com/go-json-experiment/json", "log", "fmt",
		}},
		// A copy in a customer's process is followed without a store, a transport or a log.
		{Room: "internal/follow", Never: []string{
			"internal/store", "net/http", "encoding/json", "github.com/go-json-experiment/json", "log", "log/slog",
		}},
		{Room: "internal/feed", Never: []string{"internal/store", "net/http", "encoding/json", "log/slog"}},
		// The control plane is told of requests in its own words, and reads the store, never a copy.
		{
			Room:  "internal/control",
			Never: []string{"net/http", "internal/wire", "internal/httpapi", "internal/replica"},
		},
		// Doors talk to the engines.
		{Room: "internal/httpapi", Never: []string{"internal/store", "database/sql", "internal/dataplane"}},
		{Room: "internal/dataplane", Never: []string{"internal/httpapi", "internal/control"}},
		{Room: "internal/dashboard", Never: []string{"internal/store", "database/sql", "internal/httpapi"}},
		{Room: "internal/signin", Never: []string{"internal/store", "database/sql", "internal/httpapi"}},
		// The port knows no driver.
		{
			Room: "internal/store",
			Never: []string{
				"internal/store/sqlite",
				"internal/store/postgres",
				"database/sql/driver",
				"modernc.org/sqlite",
			},
		},
		// Drivers do not know each other.
		{Room: "internal/store/sqlite", Never: []string{"internal/store/postgres"}},
		{Room: "internal/store/postgres", Never: []string{"internal/store/sqlite"}},
		// Packages for users show nothing of the inside, and bring no dependency.
		{Room: ".", Never: []string{"internal"}},
		{Room: "keyhttp", Never: []string{"internal"}},
		// A service that verifies in its own process links no database, and none of the server's doors.
		{Room: "verifier", Never: []string{
			"internal/store", "internal/server", "internal/httpapi", "internal/control", "database/sql",
		}},
	},

	MayClock: []string{
		".", "bench", "cmd", "internal/cli", "internal/rig", "internal/server", "keyhttp", "keywardtest", "test/mutants",
		"verifier",
	},

	LinesOfFile:      600,
	LinesOfFunction:  100,
	CharactersOfLine: 120,
}

// impure lists packages that a value never needs.
var impure = []string{"context", "database/sql", "net/http", "os", "syscall"}
