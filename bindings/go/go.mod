module rouet/bindings/go

go 1.24
