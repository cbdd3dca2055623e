package packing_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/keyward/keyward/internal/packing"
	"github.com/klauspost/compress/zstd"
)

// unpack reads by another reader than the package's own, which takes one member or frame alone.
func unpack(t *testing.T, c *packing.Coding, body []byte) []byte {
	t.Helper()
	var in io.Reader
	switch c {
	case packing.Gzip:
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		z.Multistream(false)
		in = z
	default:
		z, err := zstd.NewReader(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		in = z
	}
	text, err := io.ReadAll(in)
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	return text
}

func TestABeginningThatIsSharedHasManyEnds(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, c := range []*packing.Coding{packing.Zstd, packing.Gzip} {
		for _, size := range []int{1, 100, 70_000, 3 << 20} {
			text := make([]byte, size)
			for i := range text {
				text[i] = "abcdefgh"[random.IntN(8)]
			}
			var out bytes.Buffer
			p := c.Pack(&out)
			for part := range bytes.SplitAfterSeq(text, []byte("a")) {
				if _, err := p.Write(part); err != nil {
					t.Fatal(err)
				}
			}
			end, err := p.Cut()
			if err != nil {
				t.Fatal(err)
			}
			if size > 1000 && out.Len() > size/2 {
				t.Errorf("%s: %d bytes are %d", c.Name, size, out.Len())
			}
			for _, last := range []string{"", "the end\n", string(bytes.Repeat([]byte("long "), 50_000))} {
				got := unpack(t, c, append(bytes.Clone(out.Bytes()), end([]byte(last))...))
				if want := string(text) + last; string(got) != want {
					t.Errorf("%s, %d bytes and %d: read %d others", c.Name, size, len(last), len(got))
				}
			}
		}
	}
}

func TestUnzstdReadsWhatZstdHasWritten(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := packing.Zstd.Pack(&out)
	_, _ = p.Write([]byte("one\n"))
	end, err := p.Cut()
	if err != nil {
		t.Fatal(err)
	}
	z, err := packing.Unzstd(io.MultiReader(&out, bytes.NewReader(end([]byte("two\n")))))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if string(text) != "one\ntwo\n" || err != nil || z.Close() != nil {
		t.Errorf("%q, %v", text, err)
	}
	if z, err := packing.Unzstd(bytes.NewReader([]byte("nothing of zstd"))); err == nil {
		if _, err = io.ReadAll(z); err == nil {
			t.Error("a text that is not compressed is read")
		}
	}
}

func TestTheCodingThatIsAskedFor(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]*packing.Coding{
		"":                   nil,
		"identity, br":       nil,
		"gzip":               packing.Gzip,
		"GZIP;q=0.5, br":     packing.Gzip,
		"gzip, zstd":         packing.Zstd,
		"zstd; q=0, gzip":    packing.Gzip,
		"zstd;q=0.000, br":   nil,
		"gzip;q=0,zstd;q=.1": packing.Zstd,
		"*":                  nil,
	} {
		if got := packing.Accepted([]string{header}); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
	if packing.Accepted([]string{"br", "zstd"}) != packing.Zstd {
		t.Error("a second header is not read")
	}
}
