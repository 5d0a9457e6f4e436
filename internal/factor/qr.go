package factor

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// QR is a QR code as the d of an SVG path, one unit a module: a page shows it inline,
// for its CSP allows no data: images, and a picture of its own would put the secret
// into an address.
type QR struct {
	Path string
	Size int // units, the quiet zone included
}

// quietZone is the white around the code (ISO/IEC 18004 §6.3.8).
const quietZone = 4

// QR draws the offer's URI.
func (o Offer) QR() (QR, error) {
	code, err := qr.Encode(o.URI(), qr.M)
	if err != nil {
		return QR{}, fmt.Errorf("QR code: %w", err)
	}
	var path strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			from := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			if width := x - from; width > 0 {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", from+quietZone, y+quietZone, width, width)
			}
		}
	}
	return QR{Path: path.String(), Size: code.Size + 2*quietZone}, nil
}
