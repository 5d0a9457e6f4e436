package ticket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"idp/internal/kerberos/wire"
)

// kcmConn is a conversation with a KCM server.
type kcmConn struct {
	io.ReadWriteCloser
	left     int  // bytes of answers that we still take
	oneByOne bool // ask for a cache's tickets so, as every server knows it
}

// What is asked, of kcm.h.
const (
	kcmGetPrincipal     = 8     // name → principal
	kcmGetCredUUIDList  = 9     // name → identifiers
	kcmGetCredByUUID    = 10    // name, identifier → entry
	kcmGetCacheUUIDList = 18    // → identifiers
	kcmGetCacheByUUID   = 19    // identifier → name
	kcmGetDefaultCache  = 20    // → name
	kcmGetCredList      = 13001 // name → entries; MIT's extension, without which large caches are slow
)

const (
	kcmVersion  = 2 // and minor version 0
	kcmUUID     = 16
	maxKCMCreds = 1024
)

var errKCM = errors.New("the KCM server's answer cannot be read")

// kcmStatus is a refusal: a number of com_err(3).
type kcmStatus int32

func (s kcmStatus) Error() string { return fmt.Sprintf("the KCM server says %d", int32(s)) }

// kcmNoCache is KRB5_FCC_NOFILE.
const kcmNoCache kcmStatus = -1765328189

// call asks once. An answer is its length, a status, and then, if that is 0, as many
// bytes, which begin with a status again.
func (c *kcmConn) call(op uint16, params ...[]byte) ([]byte, error) {
	body := binary.BigEndian.AppendUint16([]byte{kcmVersion, 0}, op)
	body = append(body, bytes.Join(params, nil)...)
	if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)); err != nil { //nolint:gosec // our own request
		return nil, kcmBroken(err)
	}
	head := make([]byte, 8)
	if _, err := io.ReadFull(c, head); err != nil {
		return nil, kcmBroken(err)
	}
	if s := kcmStatus(binary.BigEndian.Uint32(head[4:])); s != 0 { //nolint:gosec // a number with a sign, in 32 bits
		return nil, s
	}
	size := binary.BigEndian.Uint32(head)
	if size < 4 || int64(size) > int64(c.left) {
		return nil, errKCM
	}
	c.left -= int(size)
	answer := make([]byte, size)
	if _, err := io.ReadFull(c, answer); err != nil {
		return nil, kcmBroken(err)
	}
	if s := kcmStatus(binary.BigEndian.Uint32(answer)); s != 0 { //nolint:gosec // likewise
		return nil, s
	}
	return answer[4:], nil
}

func kcmBroken(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("the KCM server said nothing for some seconds; is it well? systemctl status sssd-kcm")
	}
	return fmt.Errorf("the KCM server broke off: %w", err)
}

// zero ends a name.
func zero(name string) []byte { return append([]byte(name), 0) }

// nameOf reads a name.
func nameOf(answer []byte, err error) (string, error) {
	if err != nil {
		return "", err
	}
	name, _, ok := bytes.Cut(answer, []byte{0})
	if !ok || wire.CheckName(string(name)) != nil {
		return "", errKCM
	}
	return string(name), nil
}

// read is a cache by its name, or the user's default one.
func (c *kcmConn) read(name string) (_ *cache, err error) {
	if name == "" {
		if name, err = nameOf(c.call(kcmGetDefaultCache)); err != nil && err != kcmNoCache { //nolint:errorlint // a number
			return nil, err
		}
	}
	out := &cache{name: "KCM:" + name}
	answer, err := c.call(kcmGetPrincipal, zero(name))
	if err == kcmNoCache || err == nil && len(answer) == 0 { //nolint:errorlint // a number; Heimdal's says it by an empty answer
		return nil, fmt.Errorf("there is no ticket: the KCM server has no cache %q; get one: kinit", name)
	}
	if err != nil {
		return nil, err
	}
	r := &reader{rest: answer}
	if out.client = r.principal(); r.bad || checkPrincipal(out.client) != nil {
		return nil, errKCM
	}
	out.entries, err = c.entries(name)
	return out, err
}

// entries are a cache's tickets. Servers that do not know how to tell all at once
// tell them one by one.
func (c *kcmConn) entries(name string) ([]entry, error) {
	if c.oneByOne {
		return c.entriesByUUID(name)
	}
	answer, err := c.call(kcmGetCredList, zero(name))
	if errors.As(err, new(kcmStatus)) {
		return c.entriesByUUID(name)
	}
	if err != nil {
		return nil, err
	}
	var out []entry
	r := &reader{rest: answer}
	for n := r.u32(); n > 0 && !r.bad; n-- {
		one := &reader{rest: r.data()}
		e := one.entry()
		r.bad = r.bad || one.bad || len(out) == maxKCMCreds
		out = append(out, e)
	}
	if r.bad {
		return nil, errKCM
	}
	return out, nil
}

func (c *kcmConn) entriesByUUID(name string) ([]entry, error) {
	ids, err := c.call(kcmGetCredUUIDList, zero(name))
	if err != nil {
		return nil, err
	}
	if len(ids)%kcmUUID != 0 || len(ids)/kcmUUID > maxKCMCreds {
		return nil, errKCM
	}
	var out []entry
	for ; len(ids) > 0; ids = ids[kcmUUID:] {
		answer, err := c.call(kcmGetCredByUUID, zero(name), ids[:kcmUUID])
		if err != nil {
			return nil, err
		}
		r := &reader{rest: answer}
		if out = append(out, r.entry()); r.bad {
			return nil, errKCM
		}
	}
	return out, nil
}

// all are the user's caches.
func (c *kcmConn) all() (out []*cache) {
	ids, err := c.call(kcmGetCacheUUIDList)
	for ; err == nil && len(ids) >= kcmUUID && len(out) < maxCaches; ids = ids[kcmUUID:] {
		name, err := nameOf(c.call(kcmGetCacheByUUID, ids[:kcmUUID]))
		if err != nil {
			continue
		}
		if one, err := c.read(name); err == nil {
			out = append(out, one)
		}
	}
	return out
}
