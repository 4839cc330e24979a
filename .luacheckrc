std = "lua53+haproxy" -- the older of the two Luas we support
stds.haproxy = { read_globals = { core = { other_fields = true }, filter = { other_fields = true } } }
max_line_length = 120
codes = true
