module shelfstream.invalid/telegraf

go 1.25.3

require github.com/influxdata/telegraf v1.37.0
