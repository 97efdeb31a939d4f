package carts

import (
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
)

// add puts the variants in; quantities of a variant that is there already add up.
func (c *Stored) add(lines []LineInput, known map[uuid.UUID]Variant) error {
	var faults errs.Collector
	for i, in := range lines {
		at := slices.IndexFunc(c.Lines, func(l StoredLine) bool { return l.VariantID == in.VariantID })
		if at < 0 {
			id, err := uuid.NewV7()
			if err != nil {
				return err
			}
			c.Lines = append(c.Lines, StoredLine{ID: id, VariantID: in.VariantID, Seen: known[in.VariantID].Price})
			at = len(c.Lines) - 1
		}
		l := &c.Lines[at]
		if l.Quantity += in.Quantity; l.Quantity > MaxQuantity {
			faults.Add(errs.LimitExceeded, "A line holds at most 999.", "lines", strconv.Itoa(i), "quantity")
		}
	}
	if len(c.Lines) > MaxLines {
		faults.Merge(TooManyLines("lines"))
	}
	return faults.Err()
}

// update sets quantities; 0 removes the line.
func (c *Stored) update(lines []LineUpdate) error {
	var faults errs.Collector
	for i, in := range lines {
		at := c.index(in.LineID)
		if at < 0 {
			faults.Add(errs.NotFound, "There is no such line.", "lines", strconv.Itoa(i), "lineId")
			continue
		}
		c.Lines[at].Quantity = in.Quantity
	}
	c.Lines = slices.DeleteFunc(c.Lines, func(l StoredLine) bool { return l.Quantity == 0 })
	return faults.Err()
}

// remove takes lines out.
func (c *Stored) remove(ids []uuid.UUID) error {
	var faults errs.Collector
	for i, id := range ids {
		if c.index(id) < 0 {
			faults.Add(errs.NotFound, "There is no such line.", "lineIds", strconv.Itoa(i))
		}
	}
	c.Lines = slices.DeleteFunc(c.Lines, func(l StoredLine) bool { return slices.Contains(ids, l.ID) })
	return faults.Err()
}

func (c *Stored) index(line uuid.UUID) int {
	return slices.IndexFunc(c.Lines, func(l StoredLine) bool { return l.ID == line })
}

func variantIDs(c *Stored) []uuid.UUID {
	ids := make([]uuid.UUID, len(c.Lines))
	for i, l := range c.Lines {
		ids[i] = l.VariantID
	}
	return ids
}

func unique(ids []uuid.UUID) []uuid.UUID {
	seen := make(map[uuid.UUID]bool, len(ids))
	return slices.DeleteFunc(ids, func(id uuid.UUID) bool {
		had := seen[id]
		seen[id] = true
		return had
	})
}
