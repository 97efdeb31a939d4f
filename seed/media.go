package seed

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/techmart/techmart/services/products"
)

// Size of every picture, in pixels.
const (
	pictureWidth  = 800
	pictureHeight = 600
)

// colourCodes are the colours of products as they are drawn: the lit and the dark side.
var colourCodes = map[string][2]string{
	"Black": {"#3a3d42", "#16181b"}, "Silver": {"#e3e6ea", "#a9afb8"}, "White": {"#fbfbfc", "#d5d8dd"}, "Graphite": {"#6b7078", "#3c4048"},
	"Sand": {"#e8d8bd", "#c3a97f"}, "Midnight Blue": {"#3f5480", "#1c2946"}, "Forest Green": {"#53775f", "#27402f"}, "Rose": {"#f0c8cd", "#cf919b"},
	"Lavender": {"#cfc4ea", "#9b8bc8"}, "Coral": {"#f49b85", "#d0604a"}, "Crimson": {"#c9404f", "#7c1a28"},
}

// picture gives the picture of a variant: its kind in its colour, from one side.
func (k kind) picture(title string, chosen []products.SelectedOption, i, view int) *products.Media {
	colour := k.colours[0]
	for _, o := range chosen {
		if o.Name == "Colour" {
			colour = o.Value
		}
	}
	width, height := pictureWidth, pictureHeight
	return &products.Media{
		URL: fmt.Sprintf("/media/%s/%s/%d-%d.svg", k.drawing, products.MakeSlug(colour), i%backgrounds, view),
		Alt: title + " in " + strings.ToLower(colour), Width: &width, Height: &height,
	}
}

// media gives the pictures of a product: one for each colour, and one from near.
func (k kind) media(p *products.Product, i int) []products.Media {
	var list []products.Media
	seen := map[string]bool{}
	for v := range p.Variants {
		image := *p.Variants[v].Image
		if !seen[image.URL] {
			seen[image.URL] = true
			list = append(list, image)
		}
	}
	near := *k.picture(p.Title, p.Variants[0].Options, i, 2)
	near.Alt += ", from near"
	return append(list, near)
}

// backgrounds is how many backdrops there are.
const backgrounds = 24

// MediaHandler serves the pictures of seeded products below /media/. They are drawn from their address
// alone, the same every time: /media/DRAWING/COLOUR/BACKGROUND-VIEW.svg.
func MediaHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "Method not allowed.", http.StatusMethodNotAllowed)
			return
		}
		svg, ok := Picture(r.URL.Path)
		if !ok {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "image/svg+xml")
		h.Set("Content-Length", strconv.Itoa(len(svg)))
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		h.Set("X-Content-Type-Options", "nosniff")
		if r.Method == http.MethodGet {
			_, _ = w.Write([]byte(svg)) // a client that has gone away needs no answer
		}
	})
}

// Picture draws the picture at an address below /media/; it reports false where there is none.
func Picture(path string) (string, bool) {
	parts := strings.Split(strings.TrimPrefix(path, "/media/"), "/")
	if len(parts) != 3 || !strings.HasPrefix(path, "/media/") {
		return "", false
	}
	draw, known := drawings[parts[0]]
	colour, painted := colourBySlug(parts[1])
	file, isSVG := strings.CutSuffix(parts[2], ".svg")
	back, view, two := strings.Cut(file, "-")
	background, err := strconv.Atoi(back)
	if !known || !painted || !isSVG || !two || err != nil || background < 0 || background >= backgrounds || back != strconv.Itoa(background) || view != "1" && view != "2" {
		return "", false
	}
	return frame(draw, colour, background, view == "2"), true
}

func colourBySlug(slug string) ([2]string, bool) {
	for name, codes := range colourCodes {
		if products.MakeSlug(name) == slug {
			return codes, true
		}
	}
	return [2]string{}, false
}

// frame puts a drawing on its backdrop, with a shadow below. Drawings use the fills body, dark, glass and
// accent, and lie in a field of 400 by 300 around its middle.
func frame(drawing string, colour [2]string, background int, near bool) string {
	hue := background * 360 / backgrounds
	transform := "translate(400 300) scale(1.5)"
	if near {
		transform = "translate(430 330) rotate(-9) scale(2.25)"
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d">
<defs>
<radialGradient id="back" cx="50%%" cy="38%%" r="80%%"><stop offset="0" stop-color="hsl(%d 45%% 97%%)"/><stop offset="1" stop-color="hsl(%d 30%% 84%%)"/></radialGradient>
<linearGradient id="body" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="%s"/><stop offset="1" stop-color="%s"/></linearGradient>
<linearGradient id="dark" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#34373d"/><stop offset="1" stop-color="#0f1013"/></linearGradient>
<linearGradient id="glass" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="hsl(%d 70%% 62%%)"/><stop offset=".55" stop-color="hsl(%d 65%% 42%%)"/><stop offset="1" stop-color="hsl(%d 70%% 24%%)"/></linearGradient>
<linearGradient id="accent" x1="0" y1="0" x2="1" y2="0"><stop offset="0" stop-color="hsl(%d 85%% 60%%)"/><stop offset="1" stop-color="hsl(%d 85%% 52%%)"/></linearGradient>
<radialGradient id="shadow"><stop offset="0" stop-color="#000" stop-opacity=".28"/><stop offset="1" stop-color="#000" stop-opacity="0"/></radialGradient>
</defs>
<rect width="%d" height="%d" fill="url(#back)"/>
<ellipse cx="400" cy="512" rx="270" ry="34" fill="url(#shadow)"/>
<g transform="%s" stroke="%s" stroke-opacity=".35" stroke-width="1" stroke-linejoin="round">%s</g>
</svg>
`, pictureWidth, pictureHeight, pictureWidth, pictureHeight, hue, hue, colour[0], colour[1],
		hue+180, hue+215, hue+240, hue+150, hue+190, pictureWidth, pictureHeight, transform, colour[1], drawing)
}
