package user

import (
	"encoding/json"
	"strings"
	"testing"

	"idp/internal/command/commandtest"
	"idp/internal/secret"
	"idp/internal/store"
)

func TestLostFactorsAreTakenAway(t *testing.T) {
	p := commandtest.New(t, "")
	p.Write("pw", "correct horse\n")
	p.MustRun("", "user", "add", "bob", "--password-file", p.Dir+"/pw")
	if out := p.MustRun("", "user", "reset-factor", "bob"); !strings.Contains(out, "bob had no second factor") {
		t.Error(out)
	}
	st, err := store.Open(t.Context(), store.Config{URL: "sqlite:" + p.Dir + "/idp.db"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	bob, err := st.UserByName(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Phone", "Tablet\x1b[2J"} {
		f := store.Factor{ID: secret.ID(), UserID: bob.ID, Kind: store.FactorTOTP, Name: name, Data: []byte("sealed")}
		if err := st.AddFactor(t.Context(), store.NewFactor{Factor: f}); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.PutRecoveryCodes(t.Context(), bob.ID, [][]byte{{1}, {2}, {3}}, store.Entry{}); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Factors       []shownFactor
		RecoveryCodes int64 `json:"recovery_codes"`
	}
	out := p.MustRun("", "user", "show", "bob")
	if err := json.Unmarshal([]byte(out), &got); err != nil || len(got.Factors) != 2 || got.RecoveryCodes != 3 || got.Factors[1].Name != "Tablet?[2J" || strings.Contains(out, "sealed") {
		t.Errorf("%v %s", err, out)
	}
	if out := p.MustRun("", "user", "reset-factor", "bob"); !strings.Contains(out, "bob's 2 second factors are gone, and the sessions have ended") {
		t.Error(out)
	}
	if out := p.MustRun("", "user", "show", "bob"); strings.Contains(out, "factors") || strings.Contains(out, "recovery") {
		t.Error(out)
	}
	if _, errs, err := p.Run("", "user", "reset-factor", "eve"); err == nil || !strings.Contains(errs, "no user") {
		t.Errorf("%v %s", err, errs)
	}
}
