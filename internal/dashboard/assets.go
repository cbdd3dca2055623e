package dashboard

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed assets/*
var assetFiles embed.FS

// file is a style, script or image; its name holds a hash of its content, so that it can be kept for ever.
type file struct {
	content []byte
	kind    string
	kept    string // Cache-Control
}

// icon has its plain name, too: pages of other rooms, which do not know the hash, link to /assets/icon.svg.
const icon = "icon.svg"

const (
	keptForEver = "public, max-age=31536000, immutable"
	keptForADay = "public, max-age=86400"
)

var assetsByName, assetNames = readAssets()

func readAssets() (byName map[string]file, names map[string]string) {
	byName, names = map[string]file{}, map[string]string{}
	entries, err := assetFiles.ReadDir("assets")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		content, err := assetFiles.ReadFile("assets/" + e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(content)
		ext := path.Ext(e.Name())
		hashed := strings.TrimSuffix(e.Name(), ext) + "." + hex.EncodeToString(sum[:6]) + ext
		byName[hashed] = file{content, assetType(ext), keptForEver}
		if e.Name() == icon {
			byName[icon] = file{content, assetType(ext), keptForADay}
		}
		names[e.Name()] = "/assets/" + hashed
	}
	return byName, names
}

func assetType(ext string) string {
	switch ext {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return mime.TypeByExtension(ext)
}

// assetURL is where an asset is.
func assetURL(name string) (string, error) {
	u, ok := assetNames[name]
	if !ok {
		return "", http.ErrMissingFile
	}
	return u, nil
}

func (d *Dashboard) asset(w http.ResponseWriter, r *http.Request) {
	f, ok := assetsByName[r.PathValue("name")]
	if !ok {
		d.Refuse(w, r, d.unmatched(r))
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Content-Length", strconv.Itoa(len(f.content)))
	h.Set("Cache-Control", f.kept)
	_, _ = w.Write(f.content)
}
