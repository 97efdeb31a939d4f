package model_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/techmart/techmart/graph/model"
)

// The vectors of the TypeID specification (spec/valid.json and invalid.json).
func TestIDFollowsTheSpecification(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"prefix_00000000000000000000000000": "00000000-0000-0000-0000-000000000000",
		"prefix_00000000000000000000000001": "00000000-0000-0000-0000-000000000001",
		"prefix_0000000000000000000000000a": "00000000-0000-0000-0000-00000000000a",
		"prefix_0000000000000000000000000g": "00000000-0000-0000-0000-000000000010",
		"prefix_00000000000000000000000010": "00000000-0000-0000-0000-000000000020",
		"prefix_7zzzzzzzzzzzzzzzzzzzzzzzzz": "ffffffff-ffff-ffff-ffff-ffffffffffff",
		"prefix_0123456789abcdefghjkmnpqrs": "0110c853-1d09-52d8-d73e-1194e95b5f19",
		"prefix_01h455vb4pex5vsknk084sn02q": "01890a5d-ac96-774b-bcce-b302099a8057",
	} {
		id := uuid.MustParse(want)
		if got := model.ID("prefix", id); got != text {
			t.Errorf("ID(%s) = %s; want %s", want, got, text)
		}
		if got, err := model.ParseID("prefix", text); err != nil || got != id {
			t.Errorf("ParseID(%s) = %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "prefix", "prefix_", "other_00000000000000000000000000", "prefix_8zzzzzzzzzzzzzzzzzzzzzzzzz",
		"prefix_0000000000000000000000000", "prefix_000000000000000000000000000", "prefix_0000000000000000000000000u",
		"prefix_0000000000000000000000000A", "prefix_000000000000000000000000_0",
	} {
		if got, err := model.ParseID("prefix", text); err == nil {
			t.Errorf("ParseID(%q) = %s; want an error", text, got)
		}
	}
}

func TestIDIsReadBackAndKeepsTheOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) uuid.UUID {
			return uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, name))
		}
		a, b := draw("a"), draw("b")
		ta, tb := model.ID("x", a), model.ID("x", b)
		if got, err := model.ParseID("x", ta); err != nil || got != a {
			t.Fatalf("%s was read back as %s, %v", a, got, err)
		}
		if bytes.Compare(a[:], b[:]) < 0 != (ta < tb) {
			t.Fatalf("%s and %s are ordered otherwise than %s and %s", ta, tb, a, b)
		}
	})
}

func TestPrefix(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"ord_01": "ord", "": "", "x": "", "a_b_1": "a_b"} {
		if got := model.Prefix(text); got != want {
			t.Errorf("Prefix(%q) = %q; want %q", text, got, want)
		}
	}
}

func TestDateTime(t *testing.T) {
	t.Parallel()
	at, err := model.UnmarshalDateTime("2026-03-01T10:30:00.5+01:00")
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	model.MarshalDateTime(at).MarshalGQL(&buf)
	if buf.String() != `"2026-03-01T09:30:00.5Z"` || at.Location() != time.UTC {
		t.Errorf("written as %s", buf.String())
	}
	for _, v := range []any{"yesterday", 3, nil, "2026-03-01"} {
		if _, err := model.UnmarshalDateTime(v); err == nil {
			t.Errorf("%v was taken for a time", v)
		}
	}
}

func TestDecimal(t *testing.T) {
	t.Parallel()
	for in, want := range map[any]string{"12.90": "12.9", "0": "0", 5: "5", int64(7): "7", json.Number("8"): "8"} {
		if got, err := model.UnmarshalDecimal(in); err != nil || got != want {
			t.Errorf("%v was read as %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []any{1.5, "x", nil, true, "1e999999999", "", "0.0000000000000000001"} {
		if got, err := model.UnmarshalDecimal(in); err == nil {
			t.Errorf("%v was taken for %q", in, got)
		}
	}
	var buf bytes.Buffer
	model.MarshalDecimal("12.90").MarshalGQL(&buf)
	if buf.String() != `"12.90"` {
		t.Errorf("written as %s", buf.String())
	}
}
