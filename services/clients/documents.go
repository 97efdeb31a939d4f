package clients

import (
	"context"
	"strings"
	"unicode"

	"github.com/techmart/techmart/services/errs"
)

// Bounds of what is published.
const (
	MaxDocuments = 10_000   // of one version
	MaxText      = 64 << 10 // bytes of a document
	maxID        = 256      // bytes
	maxVersion   = 64       // bytes
)

// Publish writes a version of a client with its documents: they are trusted from now on. The same
// version again, with the same documents, does nothing, or takes it back into use. The caller has
// validated the documents against the schema. It fails with INVALID, TOO_LONG, NOT_FOUND and CONFLICT.
func (s *Service) Publish(ctx context.Context, name, version string, documents []Document) error {
	if err := program(ctx); err != nil {
		return err
	}
	var faults errs.Collector
	if !printable(version, maxVersion) {
		faults.Add(errs.Invalid, "A version has up to 64 characters, none of them a space.", "version")
	}
	if len(documents) == 0 {
		faults.Add(errs.Required, "There is no document to publish.", "documents")
	}
	if len(documents) > MaxDocuments {
		faults.Addf([]string{"documents"}, errs.TooLong, "A version has at most %d documents.", MaxDocuments)
	}
	seen := make(map[string]bool, len(documents))
	for _, d := range documents {
		switch {
		case !printable(d.ID, maxID):
			faults.Addf([]string{"documents"}, errs.Invalid, "An id has up to %d characters, none of them a space: %.40q has not.", maxID, d.ID)
		case seen[d.ID]:
			faults.Addf([]string{"documents"}, errs.Invalid, "The id %s stands there twice.", d.ID)
		case d.Text == "" || len(d.Text) > MaxText:
			faults.Addf([]string{"documents"}, errs.TooLong, "A document has from 1 to %d bytes: %s has not.", MaxText, d.ID)
		}
		seen[d.ID] = true
	}
	if err := faults.Err(); err != nil {
		return err
	}
	for i := range documents {
		documents[i].Hash = HashOf(documents[i].Text)
	}
	if err := s.store.Publish(ctx, name, version, documents, s.now()); err != nil {
		return err
	}
	s.log.InfoContext(ctx, "documents published", "client", name, "version", version, "documents", len(documents))
	return nil
}

func printable(text string, longest int) bool {
	return text != "" && len(text) <= longest && !strings.ContainsFunc(text, func(r rune) bool {
		return r == unicode.ReplacementChar || !unicode.IsGraphic(r) || unicode.IsSpace(r)
	})
}

// Retire takes a version out of use: what no other version has is trusted no longer. It fails with NOT_FOUND.
func (s *Service) Retire(ctx context.Context, name, version string) error {
	if err := program(ctx); err != nil {
		return err
	}
	if err := s.store.Retire(ctx, name, version, s.now()); err != nil {
		return err
	}
	s.log.InfoContext(ctx, "documents retired", "client", name, "version", version)
	return nil
}

// Releases gives the versions of a client, the newest first. It fails with NOT_FOUND.
func (s *Service) Releases(ctx context.Context, name string) ([]Release, error) {
	if err := program(ctx); err != nil {
		return nil, err
	}
	return s.store.Releases(ctx, name)
}

// Documents gives the documents of a version by name and id. It fails with NOT_FOUND.
func (s *Service) Documents(ctx context.Context, name, version string) ([]Document, error) {
	if err := program(ctx); err != nil {
		return nil, err
	}
	return s.store.Documents(ctx, name, version)
}
