package products

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// Change says what of a product to change; what is nil stays.
type Change struct {
	Title           *string
	Slug            *string
	DescriptionHTML *string
	Vendor          *string
	CategoryID      *uuid.UUID
	Options         []Option
	Variants        []Variant // all from now on; without an id: new
	Media           []Media
	Attributes      []Attribute
	Tags            []string
	Status          *Status
	Faults          error // what was wrong with the input before it came here, reported with the rest
}

// NewProduct is a product to add. Of Content what staff may say is taken: ids of variants and
// derived values are not.
type NewProduct struct {
	Content        Product
	IdempotencyKey string // makes the call safe to repeat; "" for none
	Faults         error  // what was wrong with the input before it came here, reported with the rest
	Replayed       *bool  // set where this is the answer of an earlier call; nil where nobody asks
}

// Create adds a product. It fails with what breaks the rules of its fields, TAKEN at slug or a SKU,
// NOT_FOUND at categoryId, and IDEMPOTENCY_REUSED.
func (s *Service) Create(ctx context.Context, in NewProduct) (_ *Product, err error) {
	v := viewer.FromContext(ctx)
	if err := v.Require(viewer.CatalogWrite); err != nil {
		return nil, err
	}
	p, key := &in.Content, in.IdempotencyKey
	hash, err := hashOf(p)
	if err != nil {
		return nil, err
	}
	fresh, err := s.prepare(p)
	if utf8.RuneCountInString(key) > maxKey {
		err = errors.Join(errs.At(errs.TooLong, "It has more than 255 characters.", "idempotencyKey"), err)
	}
	if err = errors.Join(in.Faults, err); err != nil {
		return nil, err
	}
	if key == "" {
		return s.insert(ctx, fresh, p.Slug == "")
	}
	named := IdempotencyKey{Owner: v.Actor(), Operation: "productCreate", Key: key, Hash: hash}
	claim, err := s.catalog.ClaimKey(ctx, named, fresh.ID, s.keyLease)
	if err != nil {
		return nil, err
	}
	defer func() { s.finish(ctx, named, claim, err) }()
	if in.Replayed != nil {
		*in.Replayed = !claim.First
	}
	if !claim.First {
		// The first call may have been cut off before it stored the product: the same id is stored once.
		stored, err := s.Product(ctx, claim.ID)
		if errs.CodeOf(err) != errs.NotFound {
			return stored, err
		}
		fresh.ID = claim.ID
	}
	created, err := s.insert(ctx, fresh, p.Slug == "")
	if errs.Is(err, errs.Conflict) {
		return s.Product(ctx, claim.ID)
	}
	return created, err
}

// finish says of a key what came of its call: it is answered, or refused and free again. Where neither is known the
// lease has to end, and the call's repeat goes on.
func (s *Service) finish(ctx context.Context, key IdempotencyKey, claim Claim, outcome error) {
	if claim.Answered {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	var err error
	switch {
	case outcome == nil:
		err = s.catalog.FinishKey(ctx, key)
	case errs.All(outcome) != nil:
		err = s.catalog.ReleaseKey(ctx, key)
	}
	if err != nil {
		s.log.WarnContext(ctx, "an idempotency key stays taken until its lease ends", "error", err)
	}
}

// prepare makes a new product of what staff said, and checks it.
func (s *Service) prepare(p *Product) (*Product, error) {
	now := s.now()
	fresh := &Product{
		ID: newID(), Version: 1, Slug: p.Slug, Title: p.Title, DescriptionHTML: p.DescriptionHTML, Vendor: p.Vendor, Status: p.Status,
		CategoryID: p.CategoryID, Options: p.Options, Variants: p.Variants, Media: p.Media, Attributes: p.Attributes,
		Tags: p.Tags, CreatedAt: now, UpdatedAt: now,
	}
	var c errs.Collector
	if utf8.RuneCountInString(p.DescriptionHTML) > maxHTML {
		fresh.DescriptionHTML = ""
		c.Addf([]string{"descriptionHtml"}, errs.TooLong, "It has more than %d characters.", maxHTML)
	}
	for i := range fresh.Variants {
		if fresh.Variants[i].ID != uuid.Nil {
			c.Add(errs.NotFound, "The product has no such variant.", "variants", strconv.Itoa(i), "id")
		}
	}
	if fresh.Slug == "" {
		fresh.Slug = MakeSlug(fresh.Title)
	}
	if fresh.Slug == "" {
		fresh.Slug = "product-" + suffix(fresh.ID)
	}
	fresh.normalize(s.currency)
	fresh.publish(now)
	c.Merge(fresh.check(s.currency))
	return fresh, c.Err()
}

// suffix gives characters of an id that tell slugs apart.
func suffix(id uuid.UUID) string { return fmt.Sprintf("%x", id[12:]) }

// insert stores a new product; a slug that was made from the title gives way when it is in use.
func (s *Service) insert(ctx context.Context, p *Product, madeSlug bool) (*Product, error) {
	err := s.catalog.InsertProduct(ctx, p)
	if madeSlug && slugTaken(err) {
		p.Slug = p.Slug[:min(len(p.Slug), maxSlugSize-9)] + "-" + suffix(p.ID)
		err = s.catalog.InsertProduct(ctx, p)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

func slugTaken(err error) bool {
	for _, e := range errs.All(err) {
		if e.Code == errs.Taken && slices.Equal(e.Field, []string{"slug"}) {
			return true
		}
	}
	return false
}

// Update changes a product. It fails with NOT_FOUND, CONFLICT (Data currentVersion), INVALID_STATE
// at status, what [Product] rules break, TAKEN and NOT_FOUND at categoryId.
func (s *Service) Update(ctx context.Context, id uuid.UUID, expectedVersion int, ch Change) (*Product, error) {
	if err := viewer.FromContext(ctx).Require(viewer.CatalogWrite); err != nil {
		return nil, err
	}
	p, err := s.Product(ctx, id)
	if errs.CodeOf(err) == errs.NotFound {
		return nil, errs.At(errs.NotFound, "There is no such product.", "id")
	}
	if err != nil {
		return nil, err
	}
	if p.Version != expectedVersion {
		return nil, ErrConflict(p.Version)
	}
	if err := s.apply(p, ch); err != nil {
		return nil, err
	}
	p.Version++
	p.UpdatedAt = s.now()
	if err := s.catalog.UpdateProduct(ctx, p); err != nil {
		return nil, err
	}
	if ch.Variants == nil {
		return p, nil
	}
	// The variants that are left decide whether the product can be bought.
	if err := s.refreshAvailable(ctx, p.ID); err != nil {
		return nil, err
	}
	return s.Product(ctx, p.ID)
}

// apply changes p and checks the result.
func (s *Service) apply(p *Product, ch Change) error {
	var c errs.Collector
	c.Merge(ch.Faults)
	set(&p.Title, ch.Title)
	set(&p.Slug, ch.Slug)
	set(&p.Vendor, ch.Vendor)
	set(&p.CategoryID, ch.CategoryID)
	if ch.DescriptionHTML != nil && utf8.RuneCountInString(*ch.DescriptionHTML) > maxHTML {
		c.Addf([]string{"descriptionHtml"}, errs.TooLong, "It has more than %d characters.", maxHTML)
	} else {
		set(&p.DescriptionHTML, ch.DescriptionHTML)
	}
	setList(&p.Options, ch.Options)
	setList(&p.Media, ch.Media)
	setList(&p.Attributes, ch.Attributes)
	setList(&p.Tags, ch.Tags)
	if ch.Variants != nil {
		c.Merge(p.replaceVariants(ch.Variants))
	}
	if ch.Status != nil {
		c.Merge(p.SetStatus(*ch.Status, s.now()))
	}
	p.normalize(s.currency)
	c.Merge(p.check(s.currency))
	return c.Err()
}

// replaceVariants takes over new variants; those with an id keep their picture.
func (p *Product) replaceVariants(list []Variant) error {
	var c errs.Collector
	list = slices.Clone(list)
	for i := range list {
		if list[i].ID == uuid.Nil {
			continue
		}
		old := p.Find(list[i].ID)
		if old == nil {
			c.Add(errs.NotFound, "The product has no such variant.", "variants", strconv.Itoa(i), "id")
			continue
		}
		if list[i].Image == nil {
			list[i].Image = old.Image
		}
	}
	p.Variants = list
	return c.Err()
}

func set[T any](to *T, value *T) {
	if value != nil {
		*to = *value
	}
}

func setList[T any](to *[]T, values []T) {
	if values != nil {
		*to = values
	}
}

// Archive takes a product out of the shop. It fails as [Service.Update] does.
func (s *Service) Archive(ctx context.Context, id uuid.UUID, expectedVersion int) (*Product, error) {
	status := Archived
	return s.Update(ctx, id, expectedVersion, Change{Status: &status})
}

// hashOf gives a hash of an input.
func hashOf(input any) ([]byte, error) {
	text, err := json.Marshal(input)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	return sum[:], nil
}
