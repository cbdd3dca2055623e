// Package metrics owns what a server says about itself in numbers, in Prometheus's form: requests, verdicts, the copy
// in memory, the database, the build and the process. No label holds a key, an id, a name or an address: labels come
// from small, fixed sets. It does not own what is counted, nor where it is served (server).
package metrics

import (
	"maps"
	"net/http"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Gauges are looked at when somebody asks. Each must be cheap and safe for concurrent use; one that is nil is left out.
type Gauges struct {
	ReplicaKeys     func() float64
	ReplicaAge      func() time.Duration
	ReplicaRevision func() float64
	ReplicaReady    func() bool
	StoreCommits    func() float64 // transactions
	StoreGroups     func() float64 // commits that they shared
	StoreRejected   func() float64
	ClockBehind     func() time.Duration
	ClockAhead      func() time.Duration
	DatabaseBytes   func() float64
	StorageFull     func() bool
	StorageReadOnly func() bool
	UsageLost       func() float64
	RefusalsLost    func() float64
	UsageWaiting    func() float64
	UsageWritten    func() float64
	UsageFailed     func() float64
	LogLinesLost    func() float64

	LimiterStates    func() float64 // keys
	LimiterBytes     func() float64
	LimiterWaits     func() float64
	LimiterTimeouts  func() float64
	LimiterClaims    func() float64
	LimiterFailures  func() float64
	LimiterGranted   func() float64
	LimiterReturned  func() float64
	LimiterForfeited func() float64
	Connections      func() float64 // open
	Refused          func() float64 // connections over the bounds
	CertificateEnd   func() time.Time

	RedisUp            func() bool
	RedisNodes         func() float64
	RedisStates        func() float64 // keys
	RedisQuestions     func() float64
	RedisFailures      func() float64
	RedisEpochs        func() float64
	RedisAdmittedAlone func() float64
	RedisRefusedAlone  func() float64

	// Of a database that several nodes share.
	FeedErrors      func() float64
	FeedLoads       func() float64
	FeedRings       func() float64
	ClockSkew       func() time.Duration
	NodesThatDiffer map[string]func() float64 // by the setting
	PoolConnections func() float64
	PoolBusy        func() float64
	PoolMost        func() float64
	PoolWaits       func() float64
	PoolWaited      func() time.Duration
}

// Metrics counts. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	verdicts *prometheus.CounterVec

	seen  atomic.Pointer[map[request]meters]
	codes atomic.Pointer[map[string]prometheus.Counter]
}

// latencies are the histogram's bounds in seconds: a verification takes microseconds, a change a few milliseconds.
var latencies = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}

// New makes a registry of its own, so that several servers can live in one process.
func New(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "keyward_http_requests_total", Help: "Requests that were answered.",
		}, []string{"operation", "method", "status"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "keyward_http_request_duration_seconds", Help: "Time from a request's header to the end of its answer.",
			Buckets: latencies,
		}, []string{"operation", "method"}),
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "keyward_verdicts_total", Help: "Verifications that were asked for, by the code of their answer.",
		}, []string{"code"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "keyward_build_info", Help: "Always 1; the labels say which build this is.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(m.requests, m.latency, m.verdicts, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// ObserveRequest counts an answered request. The operation and the method come from fixed sets: never a path.
func (m *Metrics) ObserveRequest(operation, method string, status int, seconds float64) {
	meters := kept(&m.seen, request{operation, method, status}, func() meters {
		return meters{
			m.requests.WithLabelValues(operation, method, strconv.Itoa(status)), m.latency.WithLabelValues(operation, method),
		}
	})
	meters.count.Inc()
	meters.latency.Observe(seconds)
}

// ObserveVerdict counts a verification by its code.
func (m *Metrics) ObserveVerdict(code string) {
	kept(&m.codes, code, func() prometheus.Counter { return m.verdicts.WithLabelValues(code) }).Inc()
}

// request is one child of the families of requests, and meters are its own.
type request struct {
	operation, method string
	status            int
}

type meters struct {
	count   prometheus.Counter
	latency prometheus.Observer
}

// kept finds what belongs to labels without putting the labels together again each time. There are few of them.
func kept[K comparable, V any](all *atomic.Pointer[map[K]V], key K, find func() V) V {
	seen := all.Load()
	if seen != nil {
		if v, ok := (*seen)[key]; ok {
			return v
		}
	}
	v := find()
	next := map[K]V{key: v}
	if seen != nil {
		maps.Copy(next, *seen)
	}
	all.CompareAndSwap(seen, &next) // another was kept instead: this one is, the next time
	return v
}

// Observe adds what is looked at when somebody asks. Call it once.
func (m *Metrics) Observe(g Gauges) {
	m.observeServer(&g)
	m.observeLimits(&g)
	m.observeNodes(&g)
}

// gauge and counter register a number that may be absent.
func (m *Metrics) gauge(name, help string, f func() float64) {
	if f != nil {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
	}
}

func (m *Metrics) counter(name, help string, f func() float64) {
	if f != nil {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, f))
	}
}

// observeServer is about the copy in memory, the database, connections, usage and the log.
func (m *Metrics) observeServer(g *Gauges) {
	m.gauge("keyward_replica_keys", "Keys in the copy in memory.", g.ReplicaKeys)
	m.gauge("keyward_replica_revision", "Revision up to which the copy in memory has every change.", g.ReplicaRevision)
	if g.ReplicaAge != nil {
		m.gauge("keyward_replica_age_seconds", "Age of the copy in memory: how long ago it was last known to be complete.",
			func() float64 { return g.ReplicaAge().Seconds() })
	}
	if g.ReplicaReady != nil {
		m.gauge("keyward_replica_ready", "1 while verifications are answered from the copy in memory.",
			func() float64 { return one(g.ReplicaReady()) })
	}
	m.counter("keyward_store_transactions_total", "Changes that were committed.", g.StoreCommits)
	m.counter(
		"keyward_store_commits_total", "Commits that brought them to the disk; changes that come together share one.",
		g.StoreGroups,
	)
	m.counter("keyward_store_rejected_total", "Changes that were rolled back.", g.StoreRejected)
	if g.CertificateEnd != nil {
		m.gauge("keyward_tls_not_after_seconds", "When the certificate ends, in seconds since 1970.",
			func() float64 { return float64(g.CertificateEnd().Unix()) })
	}
	m.gauge("keyward_connections", "Open connections.", g.Connections)
	m.counter("keyward_connections_refused_total", "Connections over the bounds, closed at once.", g.Refused)
	m.gauge("keyward_database_bytes", "Size of the database on disk.", g.DatabaseBytes)
	if g.StorageFull != nil {
		m.gauge("keyward_storage_full", "1 after a write that found no room on the disk, until one succeeds.",
			func() float64 { return one(g.StorageFull()) })
	}
	if g.StorageReadOnly != nil {
		m.gauge("keyward_storage_read_only", "1 after a write that found a disk that takes none, until one succeeds.",
			func() float64 { return one(g.StorageReadOnly()) })
	}
	m.counter(
		"keyward_refusals_lost_total", "Refusals that are in no list, since too many waited to be written.", g.RefusalsLost,
	)
	m.counter(
		"keyward_usage_lost_total",
		"Verifications that were answered and not counted in the usage, since too much waited to be written.", g.UsageLost,
	)
	m.gauge(
		"keyward_usage_waiting", "Keys and minutes of usage that are counted in memory and not written yet.", g.UsageWaiting,
	)
	m.counter("keyward_usage_written_total", "Keys and minutes of usage that were written.", g.UsageWritten)
	m.counter(
		"keyward_usage_failures_total", "Attempts to write the usage that failed and were left to the next one.",
		g.UsageFailed,
	)
	m.counter(
		"keyward_log_lines_lost_total", "Lines of the log that were dropped, since the output did not take them in time.",
		g.LogLinesLost,
	)
}

// observeLimits is about limits, in memory and over Redis.
func (m *Metrics) observeLimits(g *Gauges) {
	m.gauge("keyward_limiter_states", "Keys whose limits are being counted in memory.", g.LimiterStates)
	m.gauge("keyward_limiter_bytes", "Memory that this takes.", g.LimiterBytes)
	m.counter("keyward_limiter_waits_total", "Requests that waited for a block of their key's day.", g.LimiterWaits)
	m.counter(
		"keyward_limiter_timeouts_total", "Requests that waited for one in vain and were answered 503.", g.LimiterTimeouts,
	)
	m.counter("keyward_limiter_claims_total", "Blocks of a day that were asked for or given back.", g.LimiterClaims)
	m.counter("keyward_limiter_failures_total", "Transactions with such claims that failed.", g.LimiterFailures)
	m.counter("keyward_limiter_reserved_total", "Requests that were reserved in blocks.", g.LimiterGranted)
	m.counter("keyward_limiter_returned_total", "Reserved requests that were given back unspent.", g.LimiterReturned)
	m.counter(
		"keyward_limiter_forfeited_total", "Reserved requests that were lost while the process ran.", g.LimiterForfeited,
	)
	if g.RedisUp != nil {
		m.gauge(
			"keyward_redis_up", "1 while limits per minute are shared over Redis.", func() float64 { return one(g.RedisUp()) },
		)
	}
	m.gauge("keyward_redis_nodes", "Nodes that share limits over it.", g.RedisNodes)
	m.gauge("keyward_redis_states", "Keys of which this node knows something of the last minute.", g.RedisStates)
	m.counter("keyward_redis_questions_total", "Questions about a key's minute.", g.RedisQuestions)
	m.counter("keyward_redis_failures_total", "Such questions that were not answered.", g.RedisFailures)
	m.counter("keyward_redis_epochs_total", "How often Redis was seen to have lost its memory.", g.RedisEpochs)
	m.counter(
		"keyward_redis_admitted_alone_total", "Requests that were admitted by the policy, without Redis.",
		g.RedisAdmittedAlone,
	)
	m.counter("keyward_redis_refused_alone_total", "Requests that were refused by it.", g.RedisRefusedAlone)
}

// observeNodes is about other nodes, time and connections to the database.
func (m *Metrics) observeNodes(g *Gauges) {
	m.counter("keyward_feed_errors_total", "Looks at the other nodes' changes that failed.", g.FeedErrors)
	m.counter("keyward_feed_loads_total", "Times that everything was loaded.", g.FeedLoads)
	m.counter("keyward_feed_rings_total", "Looks that another node's ring brought about.", g.FeedRings)
	m.gauge(
		"keyward_clock_behind_seconds",
		"By so much the clock is behind the time that the database has seen, which goes on without it.",
		seconds(g.ClockBehind),
	)
	m.gauge(
		"keyward_clock_provisional_seconds", "By so much the clock has jumped ahead, while that is not trusted yet.",
		seconds(g.ClockAhead),
	)
	m.gauge(
		"keyward_clock_skew_seconds", "By so much this machine's clock is ahead of the database's.", seconds(g.ClockSkew),
	)
	for setting, f := range g.NodesThatDiffer {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "keyward_nodes_that_differ",
			Help:        "Other live nodes that have another root key, catalogue or pepper than this one.",
			ConstLabels: prometheus.Labels{"setting": setting}}, f))
	}
	m.gauge("keyward_database_connections", "Open connections to the database.", g.PoolConnections)
	m.gauge("keyward_database_connections_busy", "Connections to the database that are in use.", g.PoolBusy)
	m.gauge("keyward_database_connections_max", "Connections to the database that may be open.", g.PoolMost)
	m.counter("keyward_database_connection_waits_total", "Times that no connection was free.", g.PoolWaits)
	m.counter(
		"keyward_database_connection_wait_seconds_total", "Time spent waiting for a free connection.", seconds(g.PoolWaited),
	)
}

func seconds(f func() time.Duration) func() float64 {
	if f == nil {
		return nil
	}
	return func() float64 { return f().Seconds() }
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Gatherer gives the numbers to a test.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// maxScrapes bounds the scrapes that are answered at once: a Prometheus, its twin and a person. More are answered 503,
// since a look at every number costs memory and no credential is asked for.
const maxScrapes = 3

// Handler answers the numbers over HTTP.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(
		m.registry, promhttp.HandlerOpts{Registry: m.registry, EnableOpenMetrics: true, MaxRequestsInFlight: maxScrapes},
	)
}
