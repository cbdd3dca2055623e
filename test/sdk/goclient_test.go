package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward"
)

// replayInGo makes the calls with the Go client.
func replayInGo(t *testing.T, calls []call) []outcome {
	outcomes := make([]outcome, len(calls))
	for i := range calls {
		outcomes[i] = goOutcome(t.Context(), &calls[i])
	}
	return outcomes
}

func goOutcome(ctx context.Context, c *call) outcome {
	options := []keyward.Option{keyward.WithRetry(0)}
	if c.Token != "" {
		options = append(options, keyward.WithToken(c.Token))
	}
	client, err := keyward.New(c.URL, options...)
	if err != nil {
		return outcome{Failed: err.Error()}
	}
	defer client.Close()
	perform, ok := goCalls[c.Operation]
	if !ok {
		return outcome{Failed: "the Go client's replay lacks " + c.Operation}
	}
	g := &goCall{call: c, ctx: ctx, client: client}
	result, err := perform(g)
	var api *keyward.Error
	var replay *keyward.ReplayError
	switch {
	case g.err != nil:
		return outcome{Failed: "the Go client has no word for an argument: " + g.err.Error()}
	case errors.As(err, &replay):
		return outcome{Replayed: replay.APIKey.ID}
	case errors.As(err, &api):
		return outcome{Error: &refused{
			Status: api.Status, Code: string(api.Code), Message: api.Message, Details: api.Details, RequestID: api.RequestID,
			RetryAfter: api.RetryAfter.Seconds(),
		}}
	case err != nil:
		return outcome{Failed: err.Error()}
	case result == nil:
		return outcome{Done: true}
	}
	if stream, ok := result.(io.ReadCloser); ok {
		defer stream.Close()
		text, err := io.ReadAll(stream)
		if err != nil {
			return outcome{Failed: err.Error()}
		}
		return outcome{Text: new(string(text))}
	}
	return outcome{Result: common(reflect.ValueOf(result))}
}

// goCall is a call and the client that makes it.
type goCall struct {
	*call
	ctx    context.Context
	client *keyward.Client
	err    error // of an argument that the client has no word for
}

// within is the client of the workspace that the query names beside an id.
func (c *goCall) within() *keyward.Client {
	if ids := c.Query["workspaceId"]; len(ids) == 1 {
		return c.client.Within(ids[0])
	}
	return c.client
}

func (c *goCall) text(name string) string { return c.Query.Get(name) }

func (c *goCall) number(name string) int {
	if c.text(name) == "" {
		return 0
	}
	n, err := strconv.Atoi(c.text(name))
	c.err = errors.Join(c.err, err)
	return n
}

func (c *goCall) seconds(name string) time.Duration {
	if c.text(name) == "" {
		return 0
	}
	d, err := time.ParseDuration(c.text(name) + "s")
	c.err = errors.Join(c.err, err)
	return d
}

func (c *goCall) time(name string) time.Time {
	if c.text(name) == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339Nano, oneTime(c.text(name)))
	c.err = errors.Join(c.err, err)
	return at
}

func (c *goCall) flag(name string) *bool {
	if c.text(name) == "" {
		return nil
	}
	return new(c.text(name) == "true")
}

func (c *goCall) is(name string) bool { return c.text(name) == "true" }

func (c *goCall) page() keyward.ListOptions {
	return keyward.ListOptions{Limit: c.number("limit"), Cursor: c.text("cursor")}
}

func (c *goCall) change() []keyward.ChangeOption {
	if c.text("wait") == "all" {
		return []keyward.ChangeOption{keyward.WaitAll()}
	}
	return nil
}

func (c *goCall) usage() keyward.UsageOptions {
	return keyward.UsageOptions{
		Granularity: keyward.Granularity(c.text("granularity")), From: c.time("from"), To: c.time("to"),
	}
}

// overlap is overlapSeconds of the body, or another where it is left out.
func (c *goCall) overlap(otherwise time.Duration) time.Duration {
	var body struct {
		OverlapSeconds *int64 `json:"overlapSeconds"`
	}
	c.read(&body)
	if body.OverlapSeconds == nil {
		return otherwise
	}
	return time.Duration(*body.OverlapSeconds) * time.Second
}

func (c *goCall) follower() keyward.FollowerOptions {
	o := keyward.FollowerOptions{
		Nonce: c.text("nonce"), Name: c.text("name"), Version: c.text("version"), Incarnation: c.text("incarnation"),
		Count: uint64(c.number("count")), MaxStaleness: time.Duration(c.number("maxStalenessMs")) * time.Millisecond,
		Age: time.Duration(c.number("ageMs")) * time.Millisecond, Fenced: c.is("fenced"), Leaving: c.is("leaving"),
		Followers: c.number("followers"),
	}
	if c.text("fields") != "" {
		o.Fields = strings.Split(c.text("fields"), ",")
	}
	if c.text("below") != "" {
		o.Below = new(int64(c.number("below")))
	}
	return o
}

// read reads the body into the client's type.
func (c *goCall) read(into any) {
	if len(c.Body) > 0 {
		c.err = errors.Join(c.err, json.Unmarshal(withWholeTimes(c.Body), into))
	}
}

// withWholeTimes writes days as times, because a client in Go takes time.Time.
func withWholeTimes(body []byte) []byte {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return body
	}
	text, err := json.Marshal(timesOf(v))
	if err != nil {
		return body
	}
	return text
}

// body reads the body of a call as a T.
func body[T any](c *goCall) T {
	var v T
	c.read(&v)
	return v
}

// goQuestion is a VerifyRequest as it stands in a body.
type goQuestion struct {
	Key         string              `json:"key"`
	Permissions keyward.Demand      `json:"permissions"`
	Cost        *int                `json:"cost"`
	IP          string              `json:"ip"`
	Environment keyward.Environment `json:"environment"`
	WorkspaceID json.RawMessage     `json:"workspaceId"`
}

func (q goQuestion) request() keyward.VerifyRequest {
	r := keyward.VerifyRequest{Key: q.Key, Permissions: q.Permissions, Cost: q.Cost, IP: q.IP, Environment: q.Environment}
	var one string
	if json.Unmarshal(q.WorkspaceID, &one) == nil {
		r.WorkspaceIDs = []string{one}
	} else {
		_ = json.Unmarshal(q.WorkspaceID, &r.WorkspaceIDs)
	}
	return r
}

// common gives a result by the names of the API, its secrets revealed.
func common(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return common(v.Elem())
	case reflect.Struct:
		switch value := v.Interface().(type) {
		case keyward.Secret:
			if value.IsZero() {
				return nil
			}
			return value.Reveal()
		case time.Time:
			if value.IsZero() {
				return nil
			}
			return value.UTC().Format(time.RFC3339Nano)
		}
		out := map[string]any{}
		for i := range v.NumField() {
			field := v.Type().Field(i)
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			switch {
			case field.Anonymous && name == "":
				for name, inner := range object(common(v.Field(i))) {
					out[name] = inner
				}
			case name != "" && name != "-" && field.IsExported():
				out[name] = common(v.Field(i))
			}
		}
		return out
	case reflect.Slice:
		if v.IsNil() {
			return nil
		}
		out := make([]any, v.Len())
		for i := range out {
			out[i] = common(v.Index(i))
		}
		return out
	case reflect.Map:
		out := map[string]any{}
		for _, name := range v.MapKeys() {
			out[fmt.Sprint(name)] = common(v.MapIndex(name))
		}
		return out
	}
	text, err := json.Marshal(v.Interface())
	if err != nil {
		return err.Error()
	}
	var plain any
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	if err := decoder.Decode(&plain); err != nil {
		return err.Error()
	}
	return plain
}

// newKey is the request for a key, with an expiry that is null.
func (c *goCall) newKey() keyward.CreateKeyRequest {
	r := body[keyward.CreateKeyRequest](c)
	given := body[map[string]json.RawMessage](c)
	r.NoExpiry = string(given["expiresAt"]) == "null"
	return r
}

// introspected is an Introspection in the words of RFC 7662.
func introspected(i keyward.Introspection, err error) (any, error) {
	seconds := func(at time.Time) any {
		if at.IsZero() {
			return nil
		}
		return at.Unix()
	}
	return map[string]any{
		"active": i.Active, "scope": strings.Join(i.Scopes, " "), "client_id": i.ClientID, "sub": i.Subject,
		"exp": seconds(i.ExpiresAt), "iat": seconds(i.IssuedAt), "token_type": i.TokenType, "workspace_id": i.WorkspaceID,
		"environment": string(i.Environment),
	}, err
}

// formOf reads the demands of an introspection.
func formOf(form url.Values) (options []keyward.IntrospectOption) {
	if ip := form.Get("ip"); ip != "" {
		options = append(options, keyward.PresentedFrom(ip))
	}
	if environment := form.Get("environment"); environment != "" {
		options = append(options, keyward.FromEnvironment(environment))
	}
	if ids := form["workspaceId"]; len(ids) > 0 {
		options = append(options, keyward.FromWorkspace(ids...))
	}
	return options
}
