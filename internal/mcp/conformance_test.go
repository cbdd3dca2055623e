package mcp_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/keyward/keyward/internal/mcp"
)

// pixel is a whole PNG, and silence a whole WAV.
var (
	pixel, _ = base64.StdEncoding.DecodeString(
		"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
	)
	silence, _ = base64.StdEncoding.DecodeString("UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=")
)

// fixtures are the tools, resources and prompts that the conformance tool looks for by their names.
func fixtures() *sdk.Server {
	s := sdk.NewServer(&sdk.Implementation{Name: "fixtures", Version: "1"}, &sdk.ServerOptions{
		CompletionHandler: func(context.Context, *sdk.CompleteRequest) (*sdk.CompleteResult, error) {
			return &sdk.CompleteResult{Completion: sdk.CompletionResultDetails{Values: []string{"paris", "park"}, Total: 2}}, nil
		},
		SubscribeHandler:   func(context.Context, *sdk.SubscribeRequest) error { return nil },
		UnsubscribeHandler: func(context.Context, *sdk.UnsubscribeRequest) error { return nil },
	})
	text := func(words string) *sdk.TextContent { return &sdk.TextContent{Text: words} }
	image := &sdk.ImageContent{Data: pixel, MIMEType: "image/png"}
	embedded := &sdk.EmbeddedResource{
		Resource: &sdk.ResourceContents{URI: "test://embedded", MIMEType: "text/plain", Text: "embedded"},
	}
	for name, content := range map[string][]sdk.Content{
		"test_simple_text":            {text("This is a simple text response for testing.")},
		"test_image_content":          {image},
		"test_audio_content":          {&sdk.AudioContent{Data: silence, MIMEType: "audio/wav"}},
		"test_embedded_resource":      {embedded},
		"test_multiple_content_types": {text("Several kinds:"), image, embedded},
	} {
		answer(s, name, func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
			return &sdk.CallToolResult{Content: content}, nil
		})
	}
	answer(s, "test_tool_with_logging", func(ctx context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		for _, words := range []string{"Tool execution started", "Tool processing data", "Tool execution completed"} {
			//lint:ignore SA1019 the scenario asks for it, and clients of today may, too
			_ = r.Session.Log(ctx, &sdk.LoggingMessageParams{Level: "info", Data: words})
			time.Sleep(60 * time.Millisecond)
		}
		return &sdk.CallToolResult{Content: []sdk.Content{text("logged")}}, nil
	})
	answer(s, "test_tool_with_progress", func(ctx context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		for _, done := range []float64{0, 50, 100} {
			_ = r.Session.NotifyProgress(ctx, &sdk.ProgressNotificationParams{
				ProgressToken: r.Params.GetProgressToken(), Progress: done, Total: 100,
			})
			time.Sleep(60 * time.Millisecond)
		}
		return &sdk.CallToolResult{Content: []sdk.Content{text(fmt.Sprint(r.Params.GetProgressToken()))}}, nil
	})
	answer(s, "test_error_handling", func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		out := &sdk.CallToolResult{}
		out.SetError(errors.New("This tool intentionally returns an error for testing"))
		return out, nil
	})
	s.AddTool(&sdk.Tool{Name: "json_schema_2020_12_tool", Description: "a schema of that draft",
		InputSchema: json.RawMessage(
			`{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","$defs":{"address":{"type":"object","properties":{"street":{"type":"string"},
		"city":{"type":"string"}}}},"properties":{"name":{"type":"string"},"address":{"$ref":"#/$defs/address"}},"additionalProperties":false}`)},
		func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
			return &sdk.CallToolResult{}, nil
		})
	resources(s)
	prompts(s, image)
	return s
}

func answer(s *sdk.Server, name string, do sdk.ToolHandler) {
	s.AddTool(&sdk.Tool{Name: name, Description: name, InputSchema: json.RawMessage(`{"type":"object"}`)}, do)
}

func resources(s *sdk.Server) {
	read := func(kind, words string, blob []byte) sdk.ResourceHandler {
		return func(_ context.Context, r *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
			return &sdk.ReadResourceResult{Contents: []*sdk.ResourceContents{
				{URI: r.Params.URI, MIMEType: kind, Text: words, Blob: blob},
			}}, nil
		}
	}
	for name, serve := range map[string]sdk.ResourceHandler{
		"static-text":      read("text/plain", "This is the content of the static text resource.", nil),
		"static-binary":    read("image/png", "", pixel),
		"watched-resource": read("text/plain", "watched", nil),
	} {
		s.AddResource(&sdk.Resource{Name: name, Description: name, URI: "test://" + name, MIMEType: "text/plain"}, serve)
	}
	s.AddResourceTemplate(&sdk.ResourceTemplate{
		Name: "template", URITemplate: "test://template/{id}/data", MIMEType: "application/json",
	},
		func(_ context.Context, r *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
			id := strings.Split(strings.TrimPrefix(r.Params.URI, "test://template/"), "/")[0]
			return &sdk.ReadResourceResult{Contents: []*sdk.ResourceContents{
				{URI: r.Params.URI, MIMEType: "application/json",
					Text: `{"id":"` + id + `","templateTest":true,"data":"Data for ID: ` + id + `"}`},
			}}, nil
		})
}

func prompts(s *sdk.Server, image sdk.Content) {
	says := func(content func(map[string]string) []sdk.Content) sdk.PromptHandler {
		return func(_ context.Context, r *sdk.GetPromptRequest) (*sdk.GetPromptResult, error) {
			out := &sdk.GetPromptResult{}
			for _, c := range content(r.Params.Arguments) {
				out.Messages = append(out.Messages, &sdk.PromptMessage{Role: "user", Content: c})
			}
			return out, nil
		}
	}
	arguments := func(names ...string) (list []*sdk.PromptArgument) {
		for _, n := range names {
			list = append(list, &sdk.PromptArgument{Name: n, Description: n, Required: true})
		}
		return list
	}
	s.AddPrompt(&sdk.Prompt{Name: "test_simple_prompt", Description: "simple"},
		says(func(map[string]string) []sdk.Content {
			return []sdk.Content{&sdk.TextContent{Text: "This is a simple prompt for testing."}}
		}))
	s.AddPrompt(&sdk.Prompt{
		Name: "test_prompt_with_arguments", Description: "arguments", Arguments: arguments("arg1", "arg2"),
	},
		says(func(in map[string]string) []sdk.Content {
			return []sdk.Content{
				&sdk.TextContent{Text: fmt.Sprintf("Prompt with arguments: arg1='%s', arg2='%s'", in["arg1"], in["arg2"])},
			}
		}))
	s.AddPrompt(&sdk.Prompt{
		Name: "test_prompt_with_embedded_resource", Description: "resource", Arguments: arguments("resourceUri"),
	},
		says(func(in map[string]string) []sdk.Content {
			return []sdk.Content{&sdk.EmbeddedResource{Resource: &sdk.ResourceContents{
				URI: in["resourceUri"], MIMEType: "text/plain", Text: "Embedded resource content for testing.",
			}}, &sdk.TextContent{Text: "Please process the embedded resource above."}}
		}))
	s.AddPrompt(&sdk.Prompt{Name: "test_prompt_with_image", Description: "image"},
		says(func(map[string]string) []sdk.Content {
			return []sdk.Content{image, &sdk.TextContent{Text: "Please analyze the image above."}}
		}))
}

// The scenarios of the conformance tool that want tools of its own pass behind the product's door, but for those that
// test/mcp/fixtures.yaml gives a reason for.
func TestTheDoorConformsToTheProtocol(t *testing.T) {
	t.Parallel()
	door := mcp.NewDoorTo(mcp.DoorConfig{
		API:    http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{}`) }),
		Logger: slog.New(slog.DiscardHandler),
	}, fixtures())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Authorization", "Bearer t")
		door.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	c := exec.CommandContext(ctx, "../../sdk/typescript/runtimes/node_modules/node22/bin/node",
		"../../test/mcp/node_modules/@modelcontextprotocol/conformance/dist/index.js", "server",
		"--url", server.URL+"/mcp", "--suite", "all", "--expected-failures", "../../test/mcp/fixtures.yaml")
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}
