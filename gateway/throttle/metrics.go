package throttle

import "github.com/prometheus/client_golang/prometheus"

// metrics of the budgets:
//
//	throttle_operations_total{class,outcome}   counter, granted or refused
//	throttle_charged_total{class}              counter, cost taken
//	throttle_returned_total{class}             counter, cost given back
//	throttle_bank_failures_total               counter, alarm: budgets are kept by each process alone
//	throttle_bank_out                          gauge, 1 while that is so
type metrics struct {
	operations        *prometheus.CounterVec
	charged, returned *prometheus.CounterVec
	failures          prometheus.Counter
	out               prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		operations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "throttle_operations_total", Help: "Operations that asked a budget, by class and outcome (granted or refused).",
		}, []string{"class", "outcome"}),
		charged: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "throttle_charged_total", Help: "Cost taken from budgets, by class.",
		}, []string{"class"}),
		returned: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "throttle_returned_total", Help: "Cost given back to budgets, by class.",
		}, []string{"class"}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "throttle_bank_failures_total", Help: "Times that the shared budgets could not be reached.",
		}),
		out: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "throttle_bank_out", Help: "1 while budgets are kept by this process alone.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.operations, m.charged, m.returned, m.failures, m.out)
	}
	return m
}

func (m *metrics) took(class Class, cost int, ok bool) {
	outcome := "granted"
	if !ok {
		outcome = "refused"
	} else {
		m.charged.WithLabelValues(class.Name).Add(float64(cost))
	}
	m.operations.WithLabelValues(class.Name, outcome).Inc()
}
