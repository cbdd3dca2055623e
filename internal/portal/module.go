package portal

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
)

// sources are the parts of the element, each behind the parts that it uses while it is loaded.
var sources = []string{
	"build", "session", "words", "reveal", "usage", "change", "create", "edit", "keys", "view", "frame", "element",
}

// exported are the names that the module gives to pages. The hosted page uses all of them, others KeywardKeys.
const exported = "KeywardKeys, Session, adopt, events, makeKey, wear"

const banner = "// <keyward-keys> of Keyward. Apache-2.0.\n"

//go:embed former
var former embed.FS

// Module is the element as one ES module, without a dependency.
type Module struct {
	Content []byte
	// Hash stands in the name of the file, Integrity in the attribute integrity of a page (Subresource Integrity).
	Hash, Integrity string
}

var (
	imports  = regexp.MustCompile(`(?m)^import [^;]*;\n`)
	comments = regexp.MustCompile(`(?m)^ *//.*\n`)
	exports  = regexp.MustCompile(`(?m)^export `)
)

// Element joins the parts of the element. The parts share one scope, so a test holds their names apart.
func Element() (Module, error) {
	var out bytes.Buffer
	out.WriteString(banner)
	style, err := files.ReadFile("assets/element/element.css")
	if err != nil {
		return Module{}, err
	}
	text, err := json.Marshal(string(style))
	if err != nil {
		return Module{}, err
	}
	fmt.Fprintf(&out, "const css = %s;\n", text)
	for _, name := range sources {
		part, err := files.ReadFile("assets/element/" + name + ".js")
		if err != nil {
			return Module{}, err
		}
		for _, without := range []*regexp.Regexp{imports, comments, exports} {
			part = without.ReplaceAll(part, nil)
		}
		out.Write(part)
	}
	out.WriteString("export { " + exported + " };\n")
	return moduleOf(out.Bytes()), nil
}

func moduleOf(content []byte) Module {
	short, long := sha256.Sum256(content), sha512.Sum384(content)
	return Module{
		Content: content, Hash: hex.EncodeToString(short[:8]),
		Integrity: "sha384-" + base64.StdEncoding.EncodeToString(long[:]),
	}
}
