package extauthz

import (
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/keyward/keyward/internal/gateway"
)

var errInternal = status.Error(codes.Internal, "internal error")

// set makes a header that takes the place of every one of its name, also where it is empty.
func set(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:         &corev3.HeaderValue{Key: strings.ToLower(name), Value: value},
		AppendAction:   corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		KeepEmptyValue: true,
	}
}

// collect gathers the headers of a decision.
func collect(tell func(func(name, value string))) []*corev3.HeaderValueOption {
	all := make([]*corev3.HeaderValueOption, 0, 6)
	tell(func(name, value string) { all = append(all, set(name, value)) })
	return all
}

// pass lets a request go on: it names the key's owner, and removes the key and every header that looks like one of
// ours.
func pass(r *authv3.CheckRequest, d *gateway.Decision) *authv3.CheckResponse {
	return &authv3.CheckResponse{
		Status: &rpc.Status{Code: int32(codes.OK)},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
			Headers:              collect(d.Identity),
			HeadersToRemove:      remove(r, d),
			ResponseHeadersToAdd: collect(d.Limits),
		}},
		DynamicMetadata: metadata(d),
	}
}

// remove names the headers that must not reach the server behind: the key, once it was looked at, and words of ours
// that are not set.
func remove(r *authv3.CheckRequest, d *gateway.Decision) []string {
	var names []string
	note := func(given string) {
		if len(given) == 0 || given[0] != 'a' && given[0] != 'A' && given[0] != 'x' && given[0] != 'X' {
			return
		}
		name := strings.ToLower(given)
		credential := d.Asked && (name == "authorization" || name == "x-api-key")
		if (credential || strings.HasPrefix(name, "x-keyward-") && !isIdentity(name)) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	http := r.GetAttributes().GetRequest().GetHttp()
	for name := range http.GetHeaders() {
		note(name)
	}
	for _, h := range http.GetHeaderMap().GetHeaders() {
		note(h.GetKey())
	}
	slices.Sort(names)
	return names
}

func isIdentity(name string) bool {
	for _, known := range [...]string{gateway.HeaderKeyID, gateway.HeaderWorkspaceID, gateway.HeaderUserID,
		gateway.HeaderEnvironment,
		gateway.HeaderPermissions} {
		if strings.EqualFold(name, known) {
			return true
		}
	}
	return false
}

// metadata is for other filters and the access log: keyward.key, .workspace, .user, .environment, .permissions.
func metadata(d *gateway.Decision) *structpb.Struct {
	fields := map[string]*structpb.Value{}
	d.Identity(func(name, value string) {
		switch name {
		case gateway.HeaderKeyID:
			fields["key"] = structpb.NewStringValue(value)
		case gateway.HeaderWorkspaceID:
			fields["workspace"] = structpb.NewStringValue(value)
		case gateway.HeaderUserID:
			fields["user"] = structpb.NewStringValue(value)
		case gateway.HeaderEnvironment:
			fields["environment"] = structpb.NewStringValue(value)
		case gateway.HeaderPermissions:
			fields["permissions"] = permissions(value)
		}
	})
	return &structpb.Struct{
		Fields: map[string]*structpb.Value{"keyward": structpb.NewStructValue(&structpb.Struct{Fields: fields})},
	}
}

func permissions(joined string) *structpb.Value {
	list := &structpb.ListValue{}
	if joined != "" {
		for name := range strings.SplitSeq(joined, ",") {
			list.Values = append(list.Values, structpb.NewStringValue(name))
		}
	}
	return structpb.NewListValue(list)
}

// deny refuses with the status, the headers and the body that the client shall see.
func deny(d *gateway.Decision, requestID string) *authv3.CheckResponse {
	headers := append(
		collect(d.Headers), set("Content-Type", "application/json; charset=utf-8"), set("Cache-Control", "no-store"),
		set("X-Request-Id", requestID),
	)
	return denial(d.Status, headers, string(d.Body(requestID)))
}

func denial(code int, headers []*corev3.HeaderValueOption, body string) *authv3.CheckResponse {
	return &authv3.CheckResponse{
		Status: &rpc.Status{Code: int32(codeOf(code))},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status: &typev3.HttpStatus{Code: typev3.StatusCode(code)}, Headers: headers, Body: body,
		}},
	}
}

// codeOf is the nearest word of gRPC; none of them is OK.
func codeOf(status int) codes.Code {
	switch status {
	case 400:
		return codes.InvalidArgument
	case 401:
		return codes.Unauthenticated
	case 429:
		return codes.ResourceExhausted
	case 503:
		return codes.Unavailable
	}
	return codes.PermissionDenied
}

// broken and unreadable refuse without a decision: after an error of ours, and for unknown extensions.
func broken() *authv3.CheckResponse { return denial(500, nil, "") }

func unreadable() *authv3.CheckResponse {
	const body = `{"success":false,"error":{"code":"permission_denied","message":"the gateway's configuration cannot be read: want permission, environment (live or test) and workspaceId",` +
		`"details":[],"requestId":""}}`
	return denial(403, []*corev3.HeaderValueOption{set("Content-Type", "application/json; charset=utf-8")}, body)
}
