package dashboard

import (
	"net/http"
	"slices"

	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/installation"
	"github.com/keyward/keyward/internal/usage"
)

// installationBody is the operator's home: all workspaces together, beside the state of the machines.
type installationBody struct {
	Stats      []stat
	Attention  []need
	Nodes      []nodeRow
	MoreNodes  int
	Traffic    traffic
	Workspaces []workspaceUse
	Complete   bool // every workspace was compared
	Refusals   refusals
}

// need is something that needs attention, and where to look.
type need struct {
	installation.Attention
	Tone string
	Link string
	Look string // the words of the link
}

// workspaceUse is how much a workspace was used.
type workspaceUse struct {
	ID, Name          string
	Verified, Refused int64
	Bar               string
}

const (
	nodesShown      = 6
	workspacesShown = 12
)

// installation shows the operator's home. Without a workspace the first thing is to make one.
func (d *Dashboard) installation(v *request) error {
	c, err := d.Installation.Read(v.r.Context(), v.Caller)
	if err != nil {
		return err
	}
	if c.Workspaces == 0 {
		return v.see("/workspaces")
	}
	b := installationBody{Stats: v.installationStats(&c), Attention: needs(&c)}
	for i := range c.Nodes {
		row := v.nodeRow(&c.Nodes[i])
		b.Nodes = append(b.Nodes, row)
	}
	b.MoreNodes = max(0, len(b.Nodes)-nodesShown)
	b.Nodes = b.Nodes[:min(len(b.Nodes), nodesShown)]
	if err := v.installationUsage(&b); err != nil {
		return err
	}
	all, err := d.Control.Refusals(v.r.Context(), v.Caller, 0)
	if err != nil {
		return err
	}
	b.Refusals = v.refusals(all, true, &b.Traffic)
	if err := v.nameWorkspaces(&b.Refusals); err != nil {
		return err
	}
	return v.answer(http.StatusOK,
		page{Title: "Installation", Section: "installation", Wide: true, Styles: []string{"people.css"}, Body: b})
}

// installationUsage draws the use of everything, and of each workspace.
func (v *request) installationUsage(b *installationBody) error {
	t, ask, err := v.seriesRange()
	if err != nil {
		return err
	}
	s, err := v.d.Control.Usage(v.r.Context(), v.Caller, ask)
	if err != nil {
		return err
	}
	t.Seen = true
	v.draw(&t, "Verifications in all workspaces in ", s)
	b.Traffic = t
	totals, complete, err := v.d.Control.UsageByWorkspace(v.r.Context(), v.Caller, ask, workspacesShown)
	if err != nil {
		return err
	}
	b.Complete = complete
	for i := range totals {
		total := totals[i].Counts.Total()
		ok := totals[i].Counts[usage.Verified]
		b.Workspaces = append(b.Workspaces, workspaceUse{
			ID: string(totals[i].Workspace.ID), Name: totals[i].Workspace.Name, Verified: ok, Refused: total - ok,
			Bar: percent(100 * float64(total) / float64(totals[0].Counts.Total())),
		})
	}
	return nil
}

func (v *request) installationStats(c *installation.Condition) []stat {
	database := stat{"Database", installation.Size(c.Bytes), "SQLite", "", ""}
	if c.Database != "sqlite" {
		database.Text = "PostgreSQL"
	}
	if c.FreeKnown {
		database.Text += ", " + installation.Size(c.Free) + " free"
	}
	backup := stat{"Last backup", "None", "is known of", "", "warn"}
	if !c.Backup.At.IsZero() {
		backup = stat{"Last backup", v.moment(c.Backup.At).Rel, c.Backup.At.UTC().Format("2 Jan 2006, 15:04 UTC"), "", ""}
	}
	certificate := stat{"Certificate", "None", "TLS ends elsewhere", "", ""}
	if !c.Certificate.IsZero() {
		certificate = stat{"Certificate", "ends " +
			v.moment(c.Certificate).Rel, c.Certificate.UTC().Format("2 Jan 2006"), "", ""}
	}
	for _, a := range c.Attention {
		switch a.Code {
		case installation.DiskFull, installation.DiskLow:
			database.Tone = toneOf(a.Severity)
		case installation.BackupOld:
			backup.Tone = toneOf(a.Severity)
		case installation.CertificateEnds, installation.CertificateEnded:
			certificate.Tone = toneOf(a.Severity)
		}
	}
	ready := c.Ready()
	nodes := stat{"Nodes ready", number(ready), "of " + number(len(c.Nodes)), "/nodes", ""}
	if ready < len(c.Nodes) {
		nodes.Tone = "bad"
	}
	return []stat{
		{"Workspaces", counted(c.Workspaces, control.MostCounted), "with " + many(c.Keys, "key"), "/workspaces", ""},
		nodes, database, backup, certificate, {"Version", c.Version, "of this node", "", ""},
	}
}

func toneOf(s installation.Severity) string {
	switch s {
	case installation.Critical:
		return "bad"
	case installation.Warning:
		return "warn"
	}
	return "off"
}

// needs leads each condition to the page where it is looked at, or to its explanation.
func needs(c *installation.Condition) []need {
	out := make([]need, 0, len(c.Attention))
	for _, a := range c.Attention {
		n := need{Attention: a, Tone: toneOf(a.Severity), Link: "/docs/operation#getInstallation", Look: "What it means"}
		switch a.Code {
		case installation.NodeFenced, installation.NodeLoading, installation.NodeDiffers, installation.NodeLacksPepper,
			installation.ClockSkewed:
			n.Link, n.Look = "/nodes", "Nodes"
		case installation.KeysWithoutExpiry:
			n.Link, n.Look = "/workspaces", "Workspaces"
		}
		out = append(out, n)
	}
	return out
}

// nameWorkspaces names the workspace of each refusal, and leads there: its pages are those of another workspace.
func (v *request) nameWorkspaces(r *refusals) error {
	names := map[id.Workspace]string{}
	for i := range r.Rows {
		row := &r.Rows[i]
		name, known := names[row.Workspace]
		if !known {
			ws, err := v.d.Control.GetWorkspace(v.r.Context(), v.Caller, string(row.Workspace))
			if err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
			name = ws.Name
			names[row.Workspace] = name
		}
		row.WorkspaceName = name
	}
	r.Rows = slices.DeleteFunc(r.Rows, func(row refused) bool { return row.WorkspaceName == "" })
	return nil
}

// nodeRow words one node.
func (v *request) nodeRow(m *cluster.Member) nodeRow {
	row := nodeRow{
		ID: m.ID, Address: m.Address, Version: m.Version, Self: m.Self, Behind: m.Behind, Started: v.moment(m.Started),
		Seen: v.moment(m.Seen),
	}
	if m.Skew.Abs() >= clocksDiffer {
		row.Clock = span(m.Skew.Abs()) + " behind"
		if m.Skew > 0 {
			row.Clock = span(m.Skew) + " ahead"
		}
	}
	row.State, row.Tone = stateOf(m)
	row.Notes = notesOf(m)
	return row
}
