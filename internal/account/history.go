package account

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"idp/internal/store"
	"idp/internal/web"
)

const (
	historyDays  = 30
	historyShown = 50 // on a page
)

// entryID is what ids of the audit log look like.
var entryID = regexp.MustCompile(`^[0-9a-f]{12,28}$`)

// ServeHistory answers GET /account/history: what happened to the account.
func (a *Account) ServeHistory(w http.ResponseWriter, r *http.Request) error {
	v, err := a.visitor(w, r)
	if err != nil || v == nil {
		return err
	}
	before := r.URL.Query().Get("before")
	if !entryID.MatchString(before) {
		before = ""
	}
	h, err := a.Store.ReadHistory(r.Context(), store.HistoryPage{UserID: v.User.ID, Before: before, Limit: historyShown,
		Since: a.Policy.Now().AddDate(0, 0, -historyDays).UnixMilli()})
	if err != nil {
		return err
	}
	page := &web.HistoryPage{AccountFrame: frame(v, "/account/history"), Days: historyDays, Later: before != "", Entries: a.entries(r.Context(), v, h)}
	if h.Older != "" {
		page.OlderURL = "/account/history?" + url.Values{"before": {h.Older}}.Encode()
	}
	return a.Pages.Render(w, r, http.StatusOK, "history", page)
}

// entries are a page of the history in words, the newest first.
func (a *Account) entries(ctx context.Context, v *visit, h *store.History) []web.HistoryEntry {
	var all []web.HistoryEntry
	for _, t := range h.Attempts {
		all = append(all, web.HistoryEntry{At: time.UnixMilli(t.At), Text: attemptWords(t.Count), Where: where(t.Address, t.Agent), Strange: true})
	}
	for i := range h.Done {
		all = append(all, a.entryWords(ctx, v, &h.Done[i]))
	}
	slices.SortStableFunc(all, func(x, y web.HistoryEntry) int { return y.At.Compare(x.At) })
	return all
}

func attemptWords(count int64) string {
	if count == 1 {
		return "Somebody tried to log in with your name, and did not get in"
	}
	return fmt.Sprintf("Somebody tried to log in with your name %d times that day, and did not get in", count)
}

// where is the place that something was done from, as far as it is known.
func where(address, agent string) string {
	var parts []string
	if address != "" && address != "invalid IP" {
		parts = append(parts, "from "+address)
	}
	if agent != "" {
		parts = append(parts, agent)
	}
	return strings.Join(parts, ", ")
}
