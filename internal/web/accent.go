package web

import (
	"fmt"
	"math"
)

// rgb is a colour of sRGB, 0 to 255 each.
type rgb struct{ r, g, b uint8 }

// Backgrounds of idp.css, light and dark; and the contrast that text needs on
// them (WCAG 2.2, 1.4.3).
var (
	white       = rgb{255, 255, 255} // the light paper, and what stands on the accent there
	lightGround = rgb{244, 245, 247}
	darkPaper   = rgb{24, 27, 32}
	darkText    = rgb{14, 16, 20}
)

const textContrast = 4.6 // 4.5, and something for rounding

func parseAccent(s string) (rgb, error) {
	if s == "" {
		return rgb{0x0b, 0x5f, 0xff}, nil
	}
	var c rgb
	if _, err := fmt.Sscanf(s, "#%02x%02x%02x", &c.r, &c.g, &c.b); err != nil || len(s) != 7 {
		return rgb{}, fmt.Errorf("brand.accent %q: want a colour such as #0b5fff", s)
	}
	return c, nil
}

func (c rgb) String() string { return fmt.Sprintf("#%02x%02x%02x", c.r, c.g, c.b) }

// luminance is WCAG's relative luminance.
func (c rgb) luminance() float64 {
	lin := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*lin(c.r) + 0.7152*lin(c.g) + 0.0722*lin(c.b)
}

func contrast(a, b rgb) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// toward moves c to the colour end until its contrast with all of the others
// suffices: darker on white, lighter on dark paper.
func (c rgb) toward(end rgb, against ...rgb) rgb {
	mix := func(a, b uint8, k float64) uint8 { return uint8(math.Round(float64(a) + (float64(b)-float64(a))*k)) }
	for step := 0.0; step <= 1; step += 0.02 {
		m := rgb{mix(c.r, end.r, step), mix(c.g, end.g, step), mix(c.b, end.b, step)}
		enough := true
		for _, other := range against {
			enough = enough && contrast(m, other) >= textContrast
		}
		if enough {
			return m
		}
	}
	return end
}

// onLight is the accent in the light scheme, readable on the card and around it.
func (c rgb) onLight() rgb { return c.toward(rgb{}, white, lightGround) }

// onDark is the accent in the dark scheme. What is around the card is darker yet.
func (c rgb) onDark() rgb { return c.toward(white, darkPaper, darkText) }

// accentCSS sets the accent for both schemes: it is the colour of links and of
// the button, on which the text is white in light and near black in dark.
func accentCSS(c rgb) string {
	light, dark := c.onLight(), c.onDark()
	return fmt.Sprintf("\n:root{--accent:%s;--on-accent:%s}\n@media(prefers-color-scheme:dark){:root{--accent:%s;--on-accent:%s}}\n", light, white, dark, darkText)
}
