package doctor

import (
	"context"
	"errors"
	"strings"

	"idp/internal/doctor/report"
	"idp/internal/store"
)

// clients: a relying party is owned by the file or by the database; one in both
// refuses to start.
func (e *exam) clients(ctx context.Context) []report.Line {
	st, schema, err := e.db()
	if err != nil || schema.Version == 0 {
		return nil // database says why
	}
	var both []string
	for _, id := range e.Clients {
		_, err := st.ClientByID(ctx, id)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return report.Failed("the line about the database may say why", "relying parties cannot be read: %v", err)
		}
		if err == nil {
			both = append(both, id)
		}
	}
	if len(both) > 0 {
		return report.Failed("take it out of the file, or: idp client remove "+both[0], "%s: in the file and in the database, so idp refuses to start", strings.Join(both, ", "))
	}
	stored, err := st.Clients(ctx)
	if err != nil {
		return report.Failed("the line about the database may say why", "relying parties cannot be read: %v", err)
	}
	return report.OK("%d in the file, %d in the database", len(e.Clients), len(stored))
}
