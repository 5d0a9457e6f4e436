package account

import (
	"net/http"
	"slices"
	"strings"

	"idp/internal/web"
)

const (
	// searchFrom is how many sites are more than one looks through.
	searchFrom = 30
	// sitesShown bounds the page.
	sitesShown = 60
	// maxQuery bounds what is searched for, in bytes.
	maxQuery = 100
)

// ServeHome answers GET /: the sites that somebody may use, each with the page that it
// begins at. Whoever is not logged in logs in, and comes back.
func (a *Account) ServeHome(w http.ResponseWriter, r *http.Request) error {
	v, err := a.visitor(w, r)
	if err != nil || v == nil {
		return err
	}
	all, err := a.Sites(r.Context(), v.User)
	if err != nil {
		return err
	}
	page := &web.HomePage{AccountFrame: frame(v, "/"), All: len(all), Search: len(all) > searchFrom}
	if page.Search {
		page.Query = strings.TrimSpace(r.URL.Query().Get("q"))
		page.Query = strings.ToValidUTF8(page.Query[:min(len(page.Query), maxQuery)], "")
		all = found(all, page.Query)
	}
	page.Sites = all[:min(len(all), sitesShown)]
	return a.Pages.Render(w, r, http.StatusOK, "home", page)
}

// found are the sites whose name or host holds every word of a query, in any case.
func found(all []web.MySite, query string) []web.MySite {
	words := strings.Fields(strings.ToLower(query))
	return slices.DeleteFunc(slices.Clone(all), func(s web.MySite) bool {
		text := strings.ToLower(s.Name + " " + s.Host)
		return slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
	})
}
