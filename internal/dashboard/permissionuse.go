package dashboard

import (
	"net/url"
	"strconv"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/text"
)

// granted is a permission that a key holds, beside its use.
type granted struct {
	Name, Text string
	Risk       int
	Used       bool
	Last       string // the last day, "" for none that is known
}

// grants are the permissions of a key beside those that are used in the last 30 days.
type grants struct {
	Rows     []granted
	Used     int
	Since    moment
	Young    bool   // the use is not known for the whole 30 days
	Narrower string // the form of a key with those that are used, "" where there is none to make
}

// grants reads which permissions of a key are used.
func (v *request) grants(k *control.Key) (grants, error) {
	uses, err := v.d.Control.KeyPermissions(v.r.Context(), v.Caller, string(k.ID))
	if err != nil {
		return grants{}, err
	}
	out := grants{Since: v.moment(uses.Since), Young: uses.Since.After(uses.From)}
	texts := map[string]leaf{}
	for _, b := range v.d.held(k.Permissions) {
		for _, l := range b.Leaves {
			texts[l.Name] = l
		}
	}
	q := url.Values{}
	for _, one := range uses.Permissions {
		l := texts[one.Permission]
		row := granted{Name: one.Permission, Text: l.Text, Risk: l.Risk, Used: one.Used}
		if !one.Last.IsZero() {
			row.Last = one.Last.Format("2 Jan 2006")
		}
		if one.Used {
			out.Used++
			q.Add("perm", one.Permission)
		}
		out.Rows = append(out.Rows, row)
	}
	own := k.User == v.may.User
	mayCreate := v.may.May(account.APIKeysWrite) && (own || v.may.May(account.APIKeysManageOthers))
	if out.Used > 0 && out.Used < len(out.Rows) && mayCreate && !k.Orphan {
		if !own {
			q.Set("user", string(k.User))
		}
		out.Narrower = "/keys/new?" + q.Encode()
	}
	return out, nil
}

// demandedUse is how often a permission was demanded in the workspace.
type demandedUse struct {
	control.PermissionCount
	Bar string
}

// permissionsShown is how many stand on the page. The file has all.
const permissionsShown = 15

// byPermission counts the demands on the workspace's keys, on the whole days of the chart's time.
func (v *request) byPermission(ask control.AskUsage) ([]demandedUse, error) {
	all, err := v.permissionCounts(ask)
	if err != nil {
		return nil, err
	}
	out := make([]demandedUse, 0, min(len(all), permissionsShown))
	for _, n := range all[:min(len(all), permissionsShown)] {
		share := 100 * float64(n.Verified+n.Refused) / float64(all[0].Verified+all[0].Refused)
		out = append(out, demandedUse{n, percent(share)})
	}
	return out, nil
}

func (v *request) permissionCounts(ask control.AskUsage) ([]control.PermissionCount, error) {
	in := control.AskDays{From: ask.From, To: ask.To}
	if in.From.IsZero() && ask.Granularity != "day" {
		in.From = v.now.Add(-24 * time.Hour)
	}
	all, _, err := v.d.Control.WorkspacePermissions(v.r.Context(), v.Caller, v.workspace(), in)
	return all, err
}

// exportPermissions gives the same as a file.
func (v *request) exportPermissions(ask control.AskUsage) (string, error) {
	all, err := v.permissionCounts(ask)
	if err != nil {
		return "", err
	}
	out := text.Record("permission", "verified", "refused")
	for _, n := range all {
		out += text.Record(n.Permission, strconv.FormatInt(n.Verified, 10), strconv.FormatInt(n.Refused, 10))
	}
	return out, nil
}
