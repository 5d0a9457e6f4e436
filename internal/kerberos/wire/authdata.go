package wire

import "errors"

// Types of authorization data, RFC 4120 §7.5.4 and MS-KILE §2.2.
const (
	ADIfRelevant = 1
	ADPAC        = 128
	adKDCIssued  = 4

	maxADDepth    = 4
	maxADElements = 64
)

// ErrTwoPACs means that a ticket has more than one PAC, which no KDC writes.
var ErrTwoPACs = errors.New("two PACs")

// adWalk looks for the PAC in a ticket's authorization data.
type adWalk struct {
	left int // elements that may still come
	pac  []byte
}

// FindPAC returns the PAC of a ticket, nil if there is none. The data may be
// empty, and so may an AD-IF-RELEVANT in it. A restriction outside
// AD-IF-RELEVANT that we do not understand refuses the ticket, RFC 4120 §5.2.6.
func FindPAC(authData []byte) ([]byte, error) {
	w := adWalk{left: maxADElements}
	err := w.walk(authData, 0, true)
	return w.pac, err
}

func (w *adWalk) walk(b []byte, depth int, critical bool) error {
	if depth > maxADDepth {
		return errors.New("nested too deeply")
	}
	var d Decoder
	for list := d.Only(b, TagSequence); len(list) > 0 && d.Err == nil; {
		tag, _, rest := d.Split(list)
		if w.left--; w.left < 0 || tag != TagSequence {
			d.Fail()
			break
		}
		f := d.Sequence(list[:len(list)-len(rest)])
		kind, data := d.Int32(f[0]), d.Octets(f[1])
		list = rest
		if d.Err != nil {
			break
		}
		if err := w.element(kind, data, depth, critical); err != nil {
			return err
		}
	}
	if d.Err != nil {
		return errors.New("not readable")
	}
	return nil
}

func (w *adWalk) element(kind int32, data []byte, depth int, critical bool) error {
	switch {
	case kind == ADIfRelevant:
		return w.walk(data, depth+1, false)
	case kind == ADPAC && w.pac != nil:
		return ErrTwoPACs
	case kind == ADPAC:
		w.pac = data
	case kind == adKDCIssued:
		// It only ever adds rights (RFC 4120 §5.2.6.2), and we grant none by it.
	case critical:
		return errors.New("a restriction we do not understand")
	}
	return nil
}
