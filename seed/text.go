package seed

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/techmart/techmart/services/products"
)

var openings = []string{
	"The %s is for those who use things every day and keep them for years.",
	"Made to be used, not to be looked at: the %s does what it is for, and does it well.",
	"With the %s, %s shows what can be had for the price.",
	"The %s is the one that our own people take home.",
	"Plain on the outside, thorough on the inside: that is the %s.",
	"%[2]s has rethought the whole series, and the %[1]s is the best of it.",
}

var closings = []string{
	"In the box: the device, a short guide, and a cable that is long enough.",
	"Spare parts can be had for seven years.",
	"Packed without plastic.",
	"If it does not suit you, send it back within 30 days.",
	"Tested in our own workshop in Berlin.",
}

// describe writes the description: what it is, what it can do, and the facts that matter.
func describe(k kind, p *products.Product, r *rand.Rand) string {
	var b strings.Builder
	opening := pick(r, openings)
	name := strings.TrimSuffix(p.Title, " "+k.noun)
	switch {
	case strings.Contains(opening, "[2]"), strings.Count(opening, "%s") == 2:
		opening = fmt.Sprintf(opening, name, p.Vendor)
	default:
		opening = fmt.Sprintf(opening, name)
	}
	fmt.Fprintf(&b, "<p>%s</p><ul>", opening)
	order := r.Perm(len(k.features))
	for _, at := range order[:min(3, len(order))] {
		fmt.Fprintf(&b, "<li>%s</li>", k.features[at])
	}
	b.WriteString("</ul><p>")
	for i, a := range p.Attributes[:min(3, len(p.Attributes))] {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s: <strong>%s</strong>", a.Name, strings.TrimSpace(a.Value+" "+a.Unit))
	}
	fmt.Fprintf(&b, ". %s</p>", pick(r, closings))
	return strings.ReplaceAll(b.String(), " & ", " &amp; ")
}

// reviewTexts are what customers say, by stars from 1.
var reviewTexts = [5][]struct{ title, body string }{
	{{"Sent it back", "It stopped working after a week. The refund came quickly, at least."}, {"Not for me", "Nothing like I expected, and louder than it should be."}},
	{{"Could be better", "It does its work, but feels cheaper than it was."}, {"Two stars for the idea", "Good idea, poor finish. The second one had the same fault."}},
	{{"All right", "Does what it says. The manual could say more."}, {"Fair for the price", "Not perfect, but I would not have got more elsewhere."}, {"Mixed", "Good at the main thing, the rest is so-so."}},
	{{"Good buy", "In use every day since March and no complaint so far."}, {"Happy with it", "Quick delivery and easy to set up. One star less for the short cable."}, {"Solid", "Well made. I would have liked another colour."}, {"Does the job", "After some days I have stopped noticing it, which is the best one can say."}},
	{{"Excellent", "Better than the one it replaces, and half as large."}, {"Would buy again", "Bought one for my parents as well."}, {"Just right", "Took it out of the box and it worked. More of that, please."}, {"Love it", "Looks good, feels good, works."}, {"Finally", "I have tried three others. This is the one that stays."}},
}
