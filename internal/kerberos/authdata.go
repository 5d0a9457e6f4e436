package kerberos

import "idp/internal/reason"

// Types of authorization data, RFC 4120 §7.5.4 and MS-KILE §2.2.
const (
	adIfRelevant = 1
	adKDCIssued  = 4
	adPAC        = 128

	maxADDepth    = 4
	maxADElements = 64
)

// adWalk looks for the PAC in a ticket's authorization data.
type adWalk struct {
	left int // elements that may still come
	pac  []byte
}

// findPAC returns the PAC of a ticket, nil if there is none. The data may be
// empty, and so may an AD-IF-RELEVANT in it. A restriction outside
// AD-IF-RELEVANT that we do not understand refuses the ticket, RFC 4120 §5.2.6.
func findPAC(authData []byte) ([]byte, error) {
	w := adWalk{left: maxADElements}
	err := w.walk(authData, 0, true)
	return w.pac, err
}

func (w *adWalk) walk(b []byte, depth int, critical bool) error {
	if depth > maxADDepth {
		return reason.Refuse(reason.Authorization, "nested too deeply")
	}
	var d decoder
	for list := d.only(b, tagSequence); len(list) > 0 && d.err == nil; {
		tag, _, rest := d.split(list)
		if w.left--; w.left < 0 || tag != tagSequence {
			d.fail()
			break
		}
		f := d.sequence(list[:len(list)-len(rest)])
		kind, data := d.int32(f[0]), d.octets(f[1])
		list = rest
		if d.err != nil {
			break
		}
		if err := w.element(kind, data, depth, critical); err != nil {
			return err
		}
	}
	if d.err != nil {
		return reason.Refuse(reason.Authorization, "not readable")
	}
	return nil
}

func (w *adWalk) element(kind int32, data []byte, depth int, critical bool) error {
	switch {
	case kind == adIfRelevant:
		return w.walk(data, depth+1, false)
	case kind == adPAC && w.pac != nil:
		return reason.Refuse(reason.PAC, "two PACs")
	case kind == adPAC:
		w.pac = data
	case kind == adKDCIssued:
		// It only ever adds rights (RFC 4120 §5.2.6.2), and we grant none by it.
	case critical:
		return reason.Refuse(reason.Authorization, "a restriction we do not understand")
	}
	return nil
}
