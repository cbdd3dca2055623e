package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/verify"
)

// timing looks for information in the time of a refusal: whether an unknown value takes longer if it is close to a
// known one. It is Welch's t over two classes of values in a random order, as dudect does it (Reparaz, Balasch,
// Verbauwhede, "Dude, is my code constant time?", 2017), and beyond ±4.5 there is a difference.
func timing(ctx context.Context, l *lab) (r result, err error) {
	dir, err := l.folder("timing")
	if err != nil {
		return r, err
	}
	k, err := open(ctx, dir)
	if err != nil {
		return r, err
	}
	defer k.db.Close()
	ws, err := k.workspace(ctx, "timing")
	if err != nil {
		return r, err
	}
	keys, err := k.acquaint(ctx, ws, l.most(2000, 50))
	if err != nil {
		return r, err
	}
	// No value is asked about twice: each lies somewhere in the index, for better or worse, and a few would be compared
	// by their luck.
	looks, n := 4, l.most(125_000, 1000)
	var worst, sum float64
	for range looks {
		far, near := strangers(keys, n)
		t, err := k.welch(far, near)
		if err != nil {
			return r, err
		}
		sum += t
		worst = max(worst, math.Abs(t))
	}
	must := atMost(4.5)
	if l.quick {
		must = bound{}
	}
	r.figures = []figure{
		{
			what: fmt.Sprintf(
				"Welch's t of the times of far and of near strangers, %d looks at %s of each", looks, thousands(fmt.Sprint(n)),
			),
			unit:  "",
			value: worst,
			must:  must,
		},
		{what: "the size of their mean", unit: "", value: math.Abs(sum / float64(looks))}}
	return r, nil
}

// acquaint makes keys of which the random part is known here.
func (k *kit) acquaint(ctx context.Context, ws string, n int) (keys [][32]byte, err error) {
	items := make([]control.ImportKey, 0, n)
	for range n {
		var b [32]byte
		_, _ = rand.Read(b[:])
		keys = append(keys, b)
		sum := sha256.Sum256([]byte(minted(b)))
		digest := control.ImportDigest{
			Algorithm: keyfmt.SHA256, Value: hex.EncodeToString(sum[:]), Encoding: "hex", Short: true,
		}
		items = append(items, control.ImportKey{Digest: &digest, CreateKey: control.CreateKey{User: "u-1", Name: "timing"}})
	}
	for part := range slices.Chunk(items, 1000) {
		if _, failed, err := k.control.ImportKeys(ctx, k.root, ws, part); err != nil || len(failed) > 0 {
			return nil, fmt.Errorf("%d keys were refused: %w", len(failed), err)
		}
	}
	return keys, nil
}

// strangers are unknown values: far ones that are random, and near ones of which all but the last characters are
// those of a key.
func strangers(keys [][32]byte, n int) (far, near []string) {
	for i := range n {
		b := keys[i%len(keys)]
		change := 1 + (i/len(keys))%255 // of the last byte alone, and to another each time
		b[31] ^= byte(change)
		near = append(near, minted(b))
		_, _ = rand.Read(b[:])
		far = append(far, minted(b))
	}
	return far, near
}

var ofKeys = sync.OnceValue(func() keyfmt.Format {
	f, err := keyfmt.NewFormat(keyfmt.DefaultPrefix)
	if err != nil {
		panic(err)
	}
	return f
})

func minted(b [32]byte) string {
	s, err := ofKeys().Mint(bytes.NewReader(b[:]), keyfmt.Live)
	if err != nil {
		panic(err) // it had all that it reads
	}
	return s.Reveal()
}

// welch is t over the times of two classes of values, each asked about once, in a random order. Times that something
// else stretched are left out: those beyond the 95th percentile of all.
func (k *kit) welch(far, near []string) (float64, error) {
	type sample struct {
		value string
		class int
		took  int64
	}
	samples := make([]sample, 0, len(far)+len(near))
	for i := range far {
		samples = append(samples, sample{far[i], 0, 0}, sample{near[i], 1, 0})
	}
	mathrand.Shuffle(len(samples), func(i, j int) { samples[i], samples[j] = samples[j], samples[i] })
	var v verify.Verdict
	runtime.GC()
	for i := range samples {
		q := verify.Question{Key: samples[i].value, Cost: 1}
		start := time.Now()
		k.engine.Check(&q, &v)
		samples[i].took = time.Since(start).Nanoseconds()
		if v.Code != verify.NotFound {
			return 0, fmt.Errorf("a value that nobody has is %s", v.Code)
		}
	}
	all := make([]int64, len(samples))
	for i, s := range samples {
		all[i] = s.took
	}
	slices.Sort(all)
	most := all[len(all)*95/100]
	var count, mean, squares [2]float64 // Welford's
	for _, s := range samples {
		if s.took > most {
			continue
		}
		c := s.class
		count[c]++
		d := float64(s.took) - mean[c]
		mean[c] += d / count[c]
		squares[c] += d * (float64(s.took) - mean[c])
	}
	variance := func(c int) float64 { return squares[c] / (count[c] - 1) / count[c] }
	return (mean[0] - mean[1]) / math.Sqrt(variance(0)+variance(1)), nil
}
