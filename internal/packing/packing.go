// Package packing owns the compression of long answers, by zstd and by gzip, in two parts: a beginning that is
// compressed once for many readers, and an end of each reader's own. It does not own what is compressed (feedhttp), nor
// how an answer is sent (httpapi).
package packing

import (
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Coding is one way to compress, by its name in Content-Encoding.
type Coding struct {
	Name string
	pool sync.Pool // of compressors: one takes 800 kB and more
	// end gives the bytes that end an answer after the shared beginning, whose text has this sum and length
	end func(last []byte, sum, size uint32) []byte
	// begin gives the bytes before all
	begin []byte
}

// compressor is what both libraries have.
type compressor interface {
	io.Writer
	Flush() error
	Reset(out io.Writer)
}

// window bounds the memory of either end for zstd.
const window = 1 << 20

var (
	// Zstd is RFC 8878, without a checksum: the connection has one.
	Zstd = &Coding{Name: "zstd", end: endZstd, pool: sync.Pool{New: func() any {
		z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
			zstd.WithWindowSize(window), zstd.WithEncoderCRC(false), zstd.WithAllLitEntropyCompression(true))
		if err != nil { // the options are right
			panic(err)
		}
		return z
	}}}
	// Gzip is RFC 1952.
	Gzip = &Coding{
		Name: "gzip", end: endGzip, begin: []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff},
		pool: sync.Pool{New: func() any {
			z, err := flate.NewWriter(io.Discard, flate.BestSpeed)
			if err != nil { // the level is right
				panic(err)
			}
			return z
		}},
	}
)

// Accepted gives the coding that the values of Accept-Encoding allow (RFC 9110, section 12.5.3); nil for none. Zstd is
// taken before gzip: it costs either end a fraction.
func Accepted(values []string) *Coding {
	allowed := func(c *Coding) bool {
		for one := range strings.SplitSeq(strings.Join(values, ","), ",") {
			name, params, _ := strings.Cut(one, ";")
			if !strings.EqualFold(strings.TrimSpace(name), c.Name) {
				continue
			}
			weight := strings.ReplaceAll(params, " ", "")
			return !slices.Contains([]string{"q=0", "q=0.0", "q=0.00", "q=0.000"}, weight)
		}
		return false
	}
	for _, c := range []*Coding{Zstd, Gzip} {
		if allowed(c) {
			return c
		}
	}
	return nil
}

// Packer compresses the beginning of one answer.
type Packer struct {
	coding *Coding
	z      compressor
	out    io.Writer
	begun  bool
	sum    uint32
	size   uint32
}

// Pack begins an answer that is written to out.
func (c *Coding) Pack(out io.Writer) *Packer {
	p := &Packer{coding: c, z: c.pool.Get().(compressor), out: out}
	p.z.Reset(out)
	return p
}

// Write compresses a part of the beginning.
func (p *Packer) Write(b []byte) (int, error) {
	if !p.begun {
		p.begun = true
		if _, err := p.out.Write(p.coding.begin); err != nil {
			return 0, fmt.Errorf("compress: %w", err)
		}
	}
	if p.coding == Gzip {
		p.sum = crc32.Update(p.sum, crc32.IEEETable, b)
		p.size += uint32(len(b))
	}
	n, err := p.z.Write(b)
	if err != nil {
		err = fmt.Errorf("compress: %w", err)
	}
	return n, err
}

// Cut ends the beginning, which has at least one byte: all of it is written. The function that it gives makes the end
// of an answer, with a last text of its own; it may be called often. The packer is of no use afterwards.
func (p *Packer) Cut() (end func(last []byte) []byte, err error) {
	if err := p.z.Flush(); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	p.z.Reset(io.Discard)
	p.coding.pool.Put(p.z)
	p.z = nil
	coding, sum, size := p.coding, p.sum, p.size
	return func(last []byte) []byte { return coding.end(last, sum, size) }, nil
}

// longestStored is the bound of a block that is stored as it is, for either coding.
const longestStored = 1<<16 - 1

// stored gives a text in blocks that are stored as they are, each after its head. There is a last one always.
func stored(text []byte, head func(b []byte, part []byte, last bool) []byte) (b []byte) {
	for {
		part := text[:min(len(text), longestStored)]
		text = text[len(part):]
		b = append(head(b, part, len(text) == 0), part...)
		if len(text) == 0 {
			return b
		}
	}
}

// endGzip is stored blocks of deflate (RFC 1951, section 3.2.4), and the trailer with the sum and the length of all.
func endGzip(last []byte, sum, size uint32) []byte {
	b := stored(last, func(b, part []byte, last bool) []byte {
		if last {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
		b = binary.LittleEndian.AppendUint16(b, uint16(len(part)))
		return binary.LittleEndian.AppendUint16(b, ^uint16(len(part)))
	})
	b = binary.LittleEndian.AppendUint32(b, crc32.Update(sum, crc32.IEEETable, last))
	return binary.LittleEndian.AppendUint32(b, size+uint32(len(last)))
}

// endZstd is raw blocks (RFC 8878, section 3.1.1.2).
func endZstd(last []byte, _, _ uint32) []byte {
	return stored(last, func(b, part []byte, last bool) []byte {
		head := uint32(len(part)) << 3
		if last {
			head |= 1
		}
		return append(b, byte(head), byte(head>>8), byte(head>>16))
	})
}

// decoders are used again: one takes memory for its window.
var decoders = sync.Pool{New: func() any {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8*window))
	if err != nil { // the options are right
		panic(err)
	}
	return z
}}

// decoding reads an answer once. After its end, or Close, it reads nothing any more.
type decoding struct{ z *zstd.Decoder }

// Unzstd reads what zstd has compressed.
func Unzstd(in io.Reader) (io.ReadCloser, error) {
	z := decoders.Get().(*zstd.Decoder)
	if err := z.Reset(in); err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	return &decoding{z}, nil
}

// Read is io.Reader.
func (d *decoding) Read(b []byte) (int, error) {
	if d.z == nil {
		return 0, io.ErrClosedPipe
	}
	return d.z.Read(b)
}

// Close is io.Closer. No Read may be under way.
func (d *decoding) Close() error {
	if d.z == nil {
		return nil
	}
	err := d.z.Reset(nil)
	decoders.Put(d.z)
	d.z = nil
	if err != nil {
		err = fmt.Errorf("decompress: %w", err)
	}
	return err
}
