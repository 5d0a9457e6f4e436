package site

import (
	"context"
	"fmt"

	"idp/internal/doctor/report"
	"idp/internal/reason"
)

// askedByAnybody: does a proxy in front of the issuer's own host let through what only
// the proxies of sites may ask? Whoever asks there has headers of their own, and that
// proxy's trust. By the path as it is decoded and as it was sent, for idp reads both.
func (e *Exam) askedByAnybody(ctx context.Context) []report.Line {
	if len(e.Sites) == 0 || !e.Answers() || e.Direct(ctx) {
		return nil
	}
	s := e.Sites[0]
	for _, path := range []string{s.Ask, fmt.Sprintf("/%%%02x%s", s.Ask[1], s.Ask[2:]), s.Ask + "/../"} {
		got, err := e.Network.Get(ctx, e.Issuer+path)
		if err != nil {
			return report.Warning("look at the proxy's log", "%s%s does not answer: %v", e.Issuer, path, err)
		}
		if why := reason.Code(got.Header.Get(s.Header)); why != "" && why != reason.SiteProxy {
			return report.Warning("let the proxy answer 404 for "+s.Ask+" and everything below, by the path as it was sent and as it is decoded: nginx: both blocks of sso.conf that speak of it",
				"%s%s reaches idp (%s): anybody may ask what only the proxies of sites should, with the trust of the proxy in front of the issuer", e.Issuer, path, withReason(got.Status, why))
		}
	}
	return report.OK("%s%s: nobody can ask there in a proxy's name", e.Issuer, s.Ask)
}
