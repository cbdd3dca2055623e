package keyfmt_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/keyfmt"
)

func format(t testing.TB) keyfmt.Format {
	t.Helper()
	f, err := keyfmt.NewFormat(keyfmt.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func mint(t testing.TB, env keyfmt.Environment) keyfmt.Secret {
	t.Helper()
	s, err := format(t).Mint(rand.Reader, env)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The vectors are for clients in other languages, too.
func TestVectors(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Key         string
		Valid       bool
		Environment string
		Masked      string
		Why         string
	}
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 10 {
		t.Fatalf("only %d vectors", len(vectors))
	}
	for _, v := range vectors {
		env, ok := format(t).Parse(v.Key)
		if ok != v.Valid || string(env) != v.Environment {
			t.Errorf("%s: Parse(%q) = %q, %v", v.Why, v.Key, env, ok)
		}
		if v.Valid {
			if got := format(t).Mask(keyfmt.NewSecret(v.Key)); got != v.Masked {
				t.Errorf("%s: Mask = %q, want %q", v.Why, got, v.Masked)
			}
		}
	}
}

func TestMintedKeysParseAndNoOtherEnvironmentDoes(t *testing.T) {
	t.Parallel()
	for _, env := range []keyfmt.Environment{keyfmt.Live, keyfmt.Test, keyfmt.Service} {
		for range 1000 {
			s := mint(t, env)
			if got, ok := format(t).Parse(s.Reveal()); !ok || got != env {
				t.Fatalf("Parse of a minted %s key = %q, %v", env, got, ok)
			}
		}
	}
}

// T14: random bits are random, and a wrong checksum is seen without a look-up.
func TestT14KeysDoNotRepeatAndEveryDigitOccursEvenly(t *testing.T) {
	t.Parallel()
	const n = 20_000
	seen := make(map[string]bool, n)
	counts := map[byte]int{}
	for range n {
		body := strings.TrimPrefix(mint(t, keyfmt.Live).Reveal(), "kw_live_")[:43]
		if seen[body] {
			t.Fatal("a key repeats")
		}
		seen[body] = true
		for i := 1; i < len(body); i++ { // the first digit of 256 bits in base 62 cannot be even
			counts[body[i]]++
		}
	}
	expected := float64(n*42) / 62
	chi := 0.0
	for _, c := range counts {
		d := float64(c) - expected
		chi += d * d / expected
	}
	if chi > 130 { // 61 degrees of freedom: p < 1e-6
		t.Errorf("chi-square of the digits is %.1f", chi)
	}
}

func TestT14ASingleWrongCharacterIsAlwaysRefused(t *testing.T) {
	t.Parallel()
	s := mint(t, keyfmt.Live).Reveal()
	for i := range len(s) {
		for _, c := range []byte("0Zz_-\x00\xff") {
			if s[i] == c {
				continue
			}
			b := []byte(s)
			b[i] = c
			if _, ok := format(t).Parse(string(b)); ok {
				t.Errorf("position %d: %q is let through", i, c)
			}
		}
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	s := mint(t, keyfmt.Live).Reveal()
	f := format(t)
	if n := testing.AllocsPerRun(100, func() { f.Parse(s); f.Parse("nonsense"); f.Parse(s[:50]) }); n != 0 {
		t.Errorf("Parse allocates %v times", n)
	}
}

// T16: the documented pattern finds every key, and nothing in hashes, UUIDs and base64.
func TestT16ThePatternFindsEveryKeyAndNothingElse(t *testing.T) {
	t.Parallel()
	re := regexp.MustCompile(format(t).Pattern())
	for i := range 100_000 {
		s := mint(t, []keyfmt.Environment{keyfmt.Live, keyfmt.Test, keyfmt.Service}[i%3]).Reveal()
		around := [][2]string{{"export TOKEN=", "; run"}, {`{"key":"`, `"}`}, {"\n", "\n"}, {"(", ")."}}[i%4]
		if at := re.FindStringIndex(around[0] + s + around[1]); at == nil || at[0] != len(around[0]) ||
			at[1]-at[0] != len(s) {
			t.Fatalf("found %v of a key between %q", at, around)
		}
	}
	// A quarter of a mebibyte at a time, in the four forms that a scanner meets.
	noise := make([]byte, 1<<18)
	for range 4 {
		_, _ = rand.Read(noise)
		uuids := new(strings.Builder)
		for i := 0; i+16 <= len(noise); i += 16 {
			fmt.Fprintf(
				uuids, "%x-%x-%x-%x-%x\n", noise[i:i+4], noise[i+4:i+6], noise[i+6:i+8], noise[i+8:i+10], noise[i+10:i+16],
			)
		}
		text := []string{
			hex.EncodeToString(noise), base64.StdEncoding.EncodeToString(noise), base64.URLEncoding.EncodeToString(noise),
			uuids.String(),
		}
		for _, s := range text {
			if got := re.FindString(s); got != "" {
				t.Errorf("found %q in noise", got)
			}
		}
	}
}

// T18: a secret never prints itself, whichever way it is asked.
func TestT18ASecretNeverPrintsItself(t *testing.T) {
	t.Parallel()
	s := mint(t, keyfmt.Live)
	body := s.Reveal()[8:20]
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T %v"} {
		fmt.Fprintf(&out, verb+"\n", s)
		fmt.Fprintf(&out, verb+"\n", struct{ S keyfmt.Secret }{s})
		fmt.Fprintf(&out, verb+"\n", &s)
		fmt.Fprintf(&out, verb+"\n", struct{ s keyfmt.Secret }{s})
	}
	for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(h).Info("m", "key", s, "in", struct{ S keyfmt.Secret }{s})
	}
	if err := json.NewEncoder(&out).Encode(map[string]any{"s": s, "p": &s}); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(&out, fmt.Errorf("wrapped: %v", s))
	if strings.Contains(out.String(), body) || strings.Contains(out.String(), fmt.Sprintf("%x", body)) {
		t.Errorf("the secret shows:\n%s", out.String())
	}
}

// T21: without the pepper a recognised digest cannot be made.
func TestT21APeppersDigestCannotBeMadeWithoutIt(t *testing.T) {
	t.Parallel()
	s := mint(t, keyfmt.Live)
	plain, err := keyfmt.NewDigester("")
	if err != nil {
		t.Fatal(err)
	}
	peppered, err := keyfmt.NewDigester("a pepper")
	if err != nil {
		t.Fatal(err)
	}
	if plain.Store(s).Sum == peppered.Store(s).Sum {
		t.Error("the pepper changes nothing")
	}
	if peppered.Knows(plain.Store(s).Pepper) {
		t.Error("plain digests are admitted without being named")
	}
}

// T23: after a change of pepper the old digests are still recognised where the old pepper is named.
func TestT23AnEarlierPepperIsRecognised(t *testing.T) {
	t.Parallel()
	s := mint(t, keyfmt.Live)
	old, _ := keyfmt.NewDigester("old")
	plain, _ := keyfmt.NewDigester("")
	now, err := keyfmt.NewDigester("new", "old", "none")
	if err != nil {
		t.Fatal(err)
	}
	for _, was := range []keyfmt.Stored{old.Store(s), plain.Store(s)} {
		if !now.Knows(was.Pepper) {
			t.Errorf("pepper %s is not known", was.Pepper)
		}
		if !now.Previous(s.Reveal(), func(d keyfmt.Digest) bool { return d == was.Sum }) {
			t.Errorf("the digest under %s is not found", was.Pepper)
		}
	}
	if now.Store(s).Pepper == old.Store(s).Pepper {
		t.Error("new keys are kept under the old pepper")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("kw_live_" + strings.Repeat("A", 43) + "2ImIO6")
	f.Add("kw_svc_")
	form := format(f)
	f.Fuzz(func(t *testing.T, s string) {
		env, ok := form.Parse(s)
		if !ok {
			return
		}
		head := "kw_" + string(env) + "_"
		if !strings.HasPrefix(s, head) || len(s) != len(head)+49 {
			t.Fatalf("accepted %q", s)
		}
		n := uint64(0)
		for _, c := range s[len(s)-6:] {
			n = n*62 + uint64(strings.IndexRune("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", c))
		}
		if n != uint64(crc32.ChecksumIEEE([]byte(s[:len(s)-6]))) {
			t.Fatalf("accepted the checksum of %q", s)
		}
	})
}

// T17: a whole key is found wherever it stands in a text; one that is cut or mistyped is none.
func TestT17AKeyIsFoundWithinAText(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"kw", "a", "live", "abcdefghijklmnop", "k9"} {
		format, err := keyfmt.NewFormat(prefix)
		if err != nil {
			t.Fatal(err)
		}
		for _, env := range []keyfmt.Environment{keyfmt.Live, keyfmt.Test, keyfmt.Service} {
			secret, err := format.Mint(rand.Reader, env)
			if err != nil {
				t.Fatal(err)
			}
			key := secret.Reveal()
			for _, around := range [][2]string{{"", ""}, {"see ", "."}, {"_test_", "_live_"}, {"Ü", "é"}, {`{"k":"`, `"}`},
				{"x", "0"}} {
				from, to := keyfmt.Find(around[0] + key + around[1])
				if from != len(around[0]) || to != len(around[0])+len(key) {
					t.Errorf("%q%s%q: found at %d to %d", around[0], prefix, around[1], from, to)
				}
			}
			for what, s := range map[string]string{
				"cut": key[:len(key)-1], "without its beginning": key[strings.IndexByte(key, '_'):],
				"mistyped": key[:len(key)-8] + "!" + key[len(key)-7:],
			} {
				if from, _ := keyfmt.Find(s); from >= 0 {
					t.Errorf("%s: found", what)
				}
			}
		}
	}
}

func TestKeysWithAnEarlierPrefixAreReadWhereverKeysAre(t *testing.T) {
	old := mint(t, keyfmt.Live)
	now, err := keyfmt.NewFormat("acme")
	if err != nil {
		t.Fatal(err)
	}
	copied, finder := now, now.Finder(9)
	text := "see " + old.Reveal() + ", please"
	if _, ok := now.Parse(old.Reveal()); ok || finder.In(text) {
		t.Error("a prefix is read that was never given")
	}
	now.Admit("kw", "kw", "acme", "No Prefix")
	if got := strings.Join(copied.Prefixes(), " "); got != "acme kw" {
		t.Errorf("a copy has the prefixes %s", got)
	}
	if env, ok := copied.Parse(old.Reveal()); !ok || env != keyfmt.Live {
		t.Error("a key with the earlier prefix is not read")
	}
	if got, want := copied.Mask(old), format(t).Mask(old); got != want {
		t.Errorf("its mask is %s, want %s", got, want)
	}
	if got := finder.Cut(text); !finder.In(text) || got != "see "+now.Mask(old)+", please" {
		t.Errorf("in a text it becomes %q", got)
	}
	if got := finder.Cut(text[:30]); got != "see kw_live_…" {
		t.Errorf("the beginning of it becomes %q", got)
	}
	fresh, err := now.Mint(rand.Reader, keyfmt.Test)
	if err != nil || !strings.HasPrefix(fresh.Reveal(), "acme_test_") {
		t.Errorf("a new key is %s, %v", now.Mask(fresh), err)
	}
	both := regexp.MustCompile(copied.Pattern())
	for _, s := range []keyfmt.Secret{old, fresh} {
		if both.FindString("("+s.Reveal()+")") != s.Reveal() {
			t.Errorf("the pattern does not find %s", now.Mask(s))
		}
	}
	foreign := "kw" + strings.TrimPrefix(fresh.Reveal(), "acme")
	if _, ok := now.Parse(foreign); ok {
		t.Error("a checksum that was made over another prefix is taken")
	}
	if n := testing.AllocsPerRun(100,
		func() { now.Parse(old.Reveal()); now.Parse("nonsense"); finder.In("a long text without one") }); n != 0 {
		t.Errorf("reading allocates %v times", n)
	}
}
