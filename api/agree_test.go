package api_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/api/apitest"
	"github.com/keyward/keyward/internal/verdict"
	"github.com/keyward/keyward/internal/wire"
)

const schemas = "/components/schemas/"

// result leads to the result inside an answer's envelope.
func result(answer string) string { return schemas + answer + "/properties/data/properties/result" }

// item is the pointer to the items of a list in a schema.
func item(at, list string) string { return at + "/properties/" + list + "/items" }

// spoken pairs each type that speaks JSON with its schema in openapi.yaml. A type inside another one is found by its
// member's name.
func spoken() map[reflect.Type]string {
	return map[reflect.Type]string{
		of[keyward.APIKey]():                  schemas + "ApiKey",
		of[keyward.CreateKeyRequest]():        schemas + "CreateApiKey",
		of[keyward.KeyUpdate]():               item(schemas+"UpdateApiKeys", "apiKeys"),
		of[keyward.UpdatedKeys]():             result("UpdatedApiKeysAnswer"),
		of[keyward.Deletion]():                result("DeletedApiKeysAnswer"),
		of[keyward.ImportKeysRequest]():       schemas + "ImportApiKeys",
		of[keyward.ImportedKeys]():            result("ImportedApiKeysAnswer"),
		of[keyward.Explanation]():             result("ExplanationAnswer"),
		of[keyward.Refusal]():                 schemas + "Refusal",
		of[keyward.InstallationRefusal]():     schemas + "InstallationRefusal",
		of[keyward.KeyLimits]():               schemas + "KeyLimits",
		of[keyward.KeyPage]():                 result("ApiKeysAnswer"),
		of[keyward.Permission]():              schemas + "PermissionEntry",
		of[keyward.LogEntry]():                schemas + "Log",
		of[keyward.LogPage]():                 result("LogsAnswer"),
		of[keyward.Me]():                      result("MeAnswer"),
		of[keyward.Member]():                  schemas + "Member",
		of[keyward.PutMemberRequest]():        schemas + "PutMember",
		of[keyward.MemberUpdate]():            schemas + "UpdateMember",
		of[keyward.MemberPage]():              result("MembersAnswer"),
		of[keyward.KeyOverride]():             item(schemas+"RemoveMember", "overrides"),
		of[keyward.Removal]():                 result("RemovedMemberAnswer"),
		of[keyward.Restoration]():             result("RestoredMemberAnswer"),
		of[keyward.RestoredKeys]():            result("RestoredMemberAnswer") + "/properties/keys",
		of[keyward.Node]():                    schemas + "Node",
		of[keyward.Installation]():            schemas + "Installation",
		of[keyward.Backup]():                  schemas + "Backup",
		of[keyward.KeyPermissions]():          schemas + "KeyPermissions",
		of[keyward.PermissionUsages]():        schemas + "PermissionUsages",
		of[keyward.WorkspaceUsages]():         schemas + "WorkspaceUsages",
		of[keyward.Follower]():                schemas + "Follower",
		of[keyward.FollowerLeases]():          schemas + "FollowerLeases",
		of[keyward.FollowerDays]():            schemas + "FollowerDays",
		of[keyward.FollowerUses]():            schemas + "FollowerUses",
		of[keyward.LeaseAnswers]():            result("LeasesAnswer"),
		of[keyward.DayAnswers]():              result("DaysAnswer"),
		of[keyward.Role]():                    schemas + "Role",
		of[keyward.CreateRoleRequest]():       schemas + "CreateRole",
		of[keyward.RoleUpdate]():              schemas + "UpdateRole",
		of[keyward.RolePage]():                result("RolesAnswer"),
		of[keyward.ServiceKey]():              schemas + "ServiceKey",
		of[keyward.CreateServiceKeyRequest](): schemas + "CreateServiceKey",
		of[keyward.ServiceKeyPage]():          result("ServiceKeysAnswer"),
		of[keyward.SignInLinkRequest]():       schemas + "CreateSignInLink",
		of[keyward.SignInLink]():              schemas + "SignInLink",
		of[keyward.Invitation]():              schemas + "Invitation",
		of[keyward.SignInReset]():             result("SignInResetAnswer"),
		of[keyward.EndedSignIn]():             result("SignInResetAnswer") + "/properties/ended",
		of[keyward.Session]():                 schemas + "Session",
		of[keyward.SessionPage]():             result("SessionsAnswer"),
		of[keyward.Usage]():                   schemas + "Usage",
		of[keyward.VerifyRequest]():           schemas + "Verification",
		of[keyward.Verdict]():                 schemas + "Verdict",
		of[keyward.Workspace]():               schemas + "Workspace",
		of[keyward.Plan]():                    schemas + "Plan",
		of[keyward.Ceiling]():                 schemas + "Ceiling",
		of[keyward.SettingsUpdate]():          schemas + "SettingsInput",
		of[keyward.CreateWorkspaceRequest]():  schemas + "CreateWorkspace",
		of[keyward.WorkspaceUpdate]():         schemas + "UpdateWorkspace",
		of[keyward.WorkspacePage]():           result("WorkspacesAnswer"),

		of[keyward.KeyRequest]():                 schemas + "KeyRequest",
		of[keyward.KeyRequestPage]():             result("KeyRequestsAnswer"),
		of[keyward.PortalSession]():              schemas + "PortalSession",
		of[keyward.Webhook]():                    schemas + "Webhook",
		of[keyward.WebhookDelivery]():            schemas + "Delivery",
		of[keyward.CreateWebhookRequest]():       schemas + "CreateWebhook",
		of[keyward.UpdateWebhookRequest]():       schemas + "UpdateWebhook",
		of[keyward.RevealedWebhook]():            result("RevealedWebhookAnswer"),
		of[keyward.WebhookPage]():                result("WebhooksAnswer"),
		of[keyward.WebhookDeliveryPage]():        result("DeliveriesAnswer"),
		of[keyward.CreatePortalSessionRequest](): schemas + "CreatePortalSession",
		of[keyward.PortalSessionPage]():          result("PortalSessionsAnswer"),
		of[keyward.CreatedPortalSession]():       result("CreatedPortalSessionAnswer"),
		of[keyward.StartedPortalSession]():       result("StartedPortalSessionAnswer"),
		of[keyward.EndedPortalSessions]():        result("EndedPortalSessionsAnswer"),
		of[wire.CreatePortalSession]():           schemas + "CreatePortalSession",

		of[wire.CreateAPIKey]():  schemas + "CreateApiKey",
		of[wire.ImportAPIKeys](): schemas + "ImportApiKeys",
		of[wire.UpdateAPIKeys](): schemas + "UpdateApiKeys",
		of[wire.APIKey]():        schemas + "ApiKey",
	}
}

// elsewhere are the exported types of the client that are read or written in code of their own, and why.
var elsewhere = map[string]string{
	"Demand":            "a union: a list, or all and any",
	"Introspection":     "RFC 7662 has names of its own",
	"Error":             "read from the error's envelope",
	"CreatedKey":        "the key with its value, of an answer that has both",
	"CreatedServiceKey": "the same",
	"StartedSession":    "the same",
	"UpdatedWorkspace":  "a workspace with the revocation beside it",
}

// apart are the members that stand on one side alone, and why.
var apart = map[string]string{
	"keyward.SignInLink path":       "it holds the code: the client gives the whole URL as a Secret",
	"keyward.Invitation path":       "it holds the code: the client gives the whole URL as a Secret",
	"wire.UpdateAPIKey permissions": "read to be refused item by item",
}

func of[T any]() reflect.Type { return reflect.TypeFor[T]() }

func TestTheClientSpeaksOfWhatTheDocumentSays(t *testing.T) {
	t.Parallel()
	_, doc := document(t)
	compared := map[reflect.Type]bool{}
	for typ, at := range spoken() {
		compareMembers(t, doc, typ, at, compared)
	}
	for name := range exportedStructs(t) {
		found := slices.ContainsFunc(slices.Collect(maps.Keys(compared)), func(c reflect.Type) bool {
			return c.PkgPath() == of[keyward.Client]().PkgPath() && c.Name() == name
		})
		if _, known := elsewhere[name]; !found && !known {
			t.Errorf("keyward.%s speaks JSON and is compared with no schema: name it in spoken or elsewhere", name)
		}
	}
}

// compareMembers wants the names of a type's JSON to be those of a schema, and goes on into the structs within.
func compareMembers(t *testing.T, doc *apitest.Schemas, typ reflect.Type, at string, compared map[reflect.Type]bool) {
	t.Helper()
	compared[typ] = true
	schema := properties(doc, at)
	if schema == nil {
		t.Errorf("%s: there is no object at %s", typ, at)
		return
	}
	spoken := map[string]reflect.Type{}
	for name := range apart {
		if of, member, _ := strings.Cut(name, " "); of == typ.String() {
			delete(schema, member)
		}
	}
	for _, f := range reflect.VisibleFields(typ) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if _, known := apart[typ.String()+" "+name]; name != "" && name != "-" && !known {
			spoken[name] = inner(f.Type)
		}
	}
	if d := cmp.Diff(slices.Sorted(maps.Keys(schema)), slices.Sorted(maps.Keys(spoken))); d != "" {
		t.Errorf("%s and %s (-the document +the type):\n%s", typ, at, d)
	}
	for name, within := range spoken {
		if within.Kind() == reflect.Struct && properties(doc, schema[name]) != nil && speaks(within) {
			compareMembers(t, doc, within, schema[name], compared)
		}
	}
}

// speaks tells whether a struct has members with names.
func speaks(typ reflect.Type) bool {
	return slices.ContainsFunc(
		reflect.VisibleFields(typ), func(f reflect.StructField) bool { return f.Tag.Get("json") != "" },
	)
}

// inner is the element type of a member, whether it is optional or a list.
func inner(typ reflect.Type) reflect.Type {
	for {
		switch {
		case typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice:
			typ = typ.Elem()
		case typ.Kind() == reflect.Struct && optional.MatchString(typ.Name()):
			field, ok := typ.FieldByName("Value")
			if !ok {
				field, _ = typ.FieldByName("value")
			}
			typ = field.Type
		default:
			return typ
		}
	}
}

// optional matches the types that say whether there is a value, and hold it.
var optional = regexp.MustCompile(`^(Field|Optional|Nullable)\[`)

// properties lists where the members of an object's schema are, through references, lists and unions; nil where there
// is no object.
func properties(doc *apitest.Schemas, at string) map[string]string {
	at = doc.Resolve(at)
	schema := object(doc.Value(at))
	found := map[string]string{}
	for name := range object(schema["properties"]) {
		found[name] = at + "/properties/" + name
	}
	if len(found) > 0 {
		return found
	}
	if schema["items"] != nil {
		return properties(doc, at+"/items")
	}
	return nil
}

// exportedStructs names the exported structs of the client that have JSON members.
func exportedStructs(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, f := range clientFiles(t) {
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || !spec.Name.IsExported() {
				return true
			}
			if s, ok := spec.Type.(*ast.StructType); ok {
				for _, field := range s.Fields.List {
					if field.Tag != nil && strings.Contains(field.Tag.Value, `json:"`) {
						found[spec.Name.Name] = true
					}
				}
			}
			return true
		})
	}
	return found
}

func clientFiles(t *testing.T) (files []*ast.File) {
	t.Helper()
	names, err := filepath.Glob("../*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// The words of a verdict stand in the product once, and in three places for callers outside.
func TestTheCodesOfVerdictsAreThoseOfTheProduct(t *testing.T) {
	t.Parallel()
	_, doc := document(t)
	want := words(verdict.Codes())
	if d := cmp.Diff(want, sorted(doc.Value(schemas+"Verdict/properties/code/enum"))); d != "" {
		t.Errorf("the enum of the schema Verdict (-the product's +the document's):\n%s", d)
	}
	var denied []verdict.Code
	for _, c := range verdict.Counted {
		if c.Code != verdict.Valid {
			denied = append(denied, c.Code)
		}
	}
	if d := cmp.Diff(words(denied),
		sorted(doc.Value(schemas+"UsageBucket/properties/denied/propertyNames/enum"))); d != "" {
		t.Errorf("the codes of the schema UsageBucket (-the product's +the document's):\n%s", d)
	}
	text, _ := doc.Value("/paths/~1api~1v2~1api-keys~1verify/post/description").(string)
	for _, c := range verdict.Codes() {
		if c != verdict.Unavailable && !strings.Contains(text, "`"+string(c)+"`") {
			t.Errorf("the description of the verification does not explain %s", c)
		}
	}
	if d := cmp.Diff(want, clientCodes(t)); d != "" {
		t.Errorf("the constants of the client (-the product's +the client's):\n%s", d)
	}
}

func words(codes []verdict.Code) (out []string) {
	for _, c := range codes {
		out = append(out, string(c))
	}
	slices.Sort(out)
	return out
}

func sorted(list any) (out []string) {
	items, _ := list.([]any)
	for _, i := range items {
		word, _ := i.(string)
		out = append(out, word)
	}
	slices.Sort(out)
	return out
}

// clientCodes lists the values of the client's constants Verdict….
func clientCodes(t *testing.T) (codes []string) {
	t.Helper()
	for _, f := range clientFiles(t) {
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "VerdictCode" {
				for _, v := range spec.Values {
					codes = append(codes, strings.Trim(v.(*ast.BasicLit).Value, `"`))
				}
			}
			return true
		})
	}
	slices.Sort(codes)
	return codes
}
