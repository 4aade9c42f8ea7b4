-- Second set over Chinook, written before it was first run; today is 2025-12-22.

-- count: how many artists are there
select count(*) from Artist;

-- count: number of tracks by Queen
select count(*) from Track t join Album b on b.AlbumId = t.AlbumId join Artist a on a.ArtistId = b.ArtistId where a.Name = 'Queen';

-- count: how many customers are from Canada?
select count(*) from Customer where Country = 'Canada';

-- count: how many invoices were issued in 2022?
select count(*) from Invoice where InvoiceDate like '2022%';

-- metric: total sales
select sum(Total) from Invoice;

-- metric: average track price
select avg(UnitPrice) from Track;

-- metric: units sold in 2023
select sum(l.Quantity) from InvoiceLine l join Invoice i on i.InvoiceId = l.InvoiceId where i.InvoiceDate like '2023%';

-- metric: revenue from Rock tracks
select sum(l.UnitPrice * l.Quantity) from InvoiceLine l join Track t on t.TrackId = l.TrackId join Genre g on g.GenreId = t.GenreId where g.Name = 'Rock';

-- group: number of invoices per country
select BillingCountry, count(*) from Invoice group by 1;

-- group: average track length by genre
select g.Name, avg(t.Milliseconds) from Track t join Genre g on g.GenreId = t.GenreId group by g.GenreId;

-- group: sales per artist
select a.Name, sum(l.UnitPrice * l.Quantity) from InvoiceLine l join Track t on t.TrackId = l.TrackId join Album b on b.AlbumId = t.AlbumId join Artist a on a.ArtistId = b.ArtistId group by a.ArtistId;

-- group: sales by support rep
select c.SupportRepId, sum(i.Total) from Invoice i join Customer c on c.CustomerId = i.CustomerId group by 1;

-- group: number of employees by title
select Title, count(*) from Employee group by 1;

-- group: tracks per album
select AlbumId, count(*) from Track group by 1;

-- topn: top 10 tracks by units sold
select TrackId, sum(Quantity) s from InvoiceLine group by 1 order by s desc, 1 limit 10;

-- topn: top 5 genres by number of tracks
select g.Name, count(*) n from Track t join Genre g on g.GenreId = t.GenreId group by g.GenreId order by n desc limit 5;

-- topn: 5 shortest tracks
select Name from Track order by Milliseconds limit 5;

-- topn: top 3 artists by sales
select a.Name, sum(l.UnitPrice * l.Quantity) s from InvoiceLine l join Track t on t.TrackId = l.TrackId join Album b on b.AlbumId = t.AlbumId join Artist a on a.ArtistId = b.ArtistId group by a.ArtistId order by s desc limit 3;

-- topn: 5 most recent invoices
select InvoiceId from Invoice order by InvoiceDate desc, InvoiceId limit 5;

-- topn-per-group: longest track in each genre
select g.Name, x.Name from (select t.*, row_number() over (partition by GenreId order by Milliseconds desc, TrackId) r from Track t) x join Genre g on g.GenreId = x.GenreId where r = 1;

-- superlative: which country has the most invoices
select BillingCountry, count(*) n from Invoice group by 1 order by n desc limit 1;

-- superlative: which employee supports the most customers?
select SupportRepId, count(*) n from Customer group by 1 order by n desc limit 1;

-- superlative: largest invoice
select InvoiceId from Invoice order by Total desc limit 1;

-- superlative: which genre has the longest average track length?
select g.Name, avg(t.Milliseconds) s from Track t join Genre g on g.GenreId = t.GenreId group by g.GenreId order by s desc limit 1;

-- superlative: best selling genre
select g.Name, sum(l.Quantity) s from InvoiceLine l join Track t on t.TrackId = l.TrackId join Genre g on g.GenreId = t.GenreId group by g.GenreId order by s desc limit 1;

-- trend: sales by year
select strftime('%Y', InvoiceDate), sum(Total) from Invoice group by 1;

-- trend: invoices per month in 2024
select strftime('%Y-%m', InvoiceDate), count(*) from Invoice where InvoiceDate like '2024%' group by 1;

-- anti: customers without invoices
select CustomerId from Customer c where not exists (select 1 from Invoice i where i.CustomerId = c.CustomerId);

-- anti: tracks not in any playlist
select TrackId from Track t where not exists (select 1 from PlaylistTrack x where x.TrackId = t.TrackId);

-- anti: albums without sales
select AlbumId from Album b where not exists (select 1 from InvoiceLine l join Track t on t.TrackId = l.TrackId where t.AlbumId = b.AlbumId);

-- anti: how many artists have no albums?
select count(*) from Artist a where not exists (select 1 from Album b where b.ArtistId = a.ArtistId);

-- having: artists with at least 10 albums
select a.ArtistId from Artist a join Album b on b.ArtistId = a.ArtistId group by 1 having count(*) >= 10;

-- having: genres with sales over 100
select g.Name, sum(l.UnitPrice * l.Quantity) s from InvoiceLine l join Track t on t.TrackId = l.TrackId join Genre g on g.GenreId = t.GenreId group by g.GenreId having s > 100;

-- having: invoices with more than 10 lines
select InvoiceId from InvoiceLine group by 1 having count(*) > 10;

-- having: tracks sold more than once
select TrackId from InvoiceLine group by 1 having count(*) > 1;

-- distinct: list all genres
select Name from Genre;

-- distinct: how many cities do our customers live in?
select count(distinct City) from Customer;

-- distinct: which countries do customers live in?
select distinct Country from Customer;

-- share: percentage of tracks by genre
select g.Name, 100.0 * count(*) / (select count(*) from Track) from Track t join Genre g on g.GenreId = t.GenreId group by g.GenreId;

-- share: what percentage of customers are from the USA?
select 100.0 * sum(Country = 'USA') / count(*) from Customer;

-- nested: average number of albums per artist
select avg(n) from (select ArtistId, count(*) n from Album group by 1);

-- nested: average number of tracks per playlist
select avg(n) from (select PlaylistId, count(*) n from PlaylistTrack group by 1);

-- list: albums by Led Zeppelin
select Title from Album b join Artist a on a.ArtistId = b.ArtistId where a.Name = 'Led Zeppelin';

-- list: tracks on the album Facelift
select t.TrackId from Track t join Album b on b.AlbumId = t.AlbumId where b.Title = 'Facelift';

-- list: customers in Paris
select CustomerId from Customer where City = 'Paris';

-- list: invoices from Germany in 2023
select InvoiceId from Invoice where BillingCountry = 'Germany' and InvoiceDate like '2023%';

-- list: tracks that cost more than 0.99
select TrackId from Track where UnitPrice > 0.99;

-- list: Jazz tracks shorter than 2 minutes
select t.TrackId from Track t join Genre g on g.GenreId = t.GenreId where g.Name = 'Jazz' and t.Milliseconds < 120000;

-- list: customers supported by employee 3
select CustomerId from Customer where SupportRepId = 3;

-- list: tracks with genre Blues
select t.TrackId from Track t join Genre g on g.GenreId = t.GenreId where g.Name = 'Blues';

-- lookup: which city does customer 10 live in?
select City from Customer where CustomerId = 10;

-- lookup: total of invoice 20
select Total from Invoice where InvoiceId = 20;

-- lookup: who is employee 4?
select EmployeeId from Employee where EmployeeId = 4;

-- minmax: first invoice date
select min(InvoiceDate) from Invoice;

-- minmax: highest invoice total by country
select BillingCountry, max(Total) from Invoice group by 1;

-- null: invoices without a billing state
select InvoiceId from Invoice where BillingState is null;

-- null: how many tracks have no composer?
select count(*) from Track where Composer is null;

-- negated: customers who are not from Brazil
select CustomerId from Customer where Country <> 'Brazil';

-- like: albums with 'Live' in the title
select AlbumId from Album where Title like '%Live%';

-- like: artists starting with 'The'
select ArtistId from Artist where Name like 'The%';

-- like: how many tracks have a name containing 'blues'?
select count(*) from Track where Name like '%blues%';

-- compare: Rock or Latin, which has more tracks?
select g.Name, count(*) n from Track t join Genre g on g.GenreId = t.GenreId where g.Name in ('Rock', 'Latin') group by g.GenreId order by n desc limit 1;

-- compare: sales of USA vs Canada
select BillingCountry, sum(Total) from Invoice where BillingCountry in ('USA', 'Canada') group by 1;

-- selfjoin: how many people report to each manager?
select ReportsTo, count(*) from Employee where ReportsTo is not null group by 1;

-- selfjoin: employees who report to employee 1
select EmployeeId from Employee where ReportsTo = 1;

-- bridge: how many tracks are in the playlist Grunge?
select count(*) from PlaylistTrack x join Playlist p on p.PlaylistId = x.PlaylistId where p.Name = 'Grunge';

-- bridge: playlists containing tracks by Nirvana
select distinct x.PlaylistId from PlaylistTrack x join Track t on t.TrackId = x.TrackId join Album b on b.AlbumId = t.AlbumId join Artist a on a.ArtistId = b.ArtistId where a.Name = 'Nirvana';

-- verb: customers who purchased Rock tracks in 2025
select distinct i.CustomerId from Invoice i join InvoiceLine l on l.InvoiceId = i.InvoiceId join Track t on t.TrackId = l.TrackId join Genre g on g.GenreId = t.GenreId where g.Name = 'Rock' and i.InvoiceDate like '2025%';

-- running: cumulative sales by year
select y, sum(s) over (order by y) from (select strftime('%Y', InvoiceDate) y, sum(Total) s from Invoice group by 1);

-- growth: month over month sales growth in 2024
with m as (select strftime('%Y-%m', InvoiceDate) ym, sum(Total) s from Invoice group by 1) select a.ym, a.s, 100.0 * (a.s - b.s) / b.s from m a join m b on b.ym = strftime('%Y-%m', date(a.ym || '-01', '-1 month')) where a.ym like '2024%';

-- refuse: best song of all time
null;

-- refuse: how many streams did we have?
null;

-- refuse: update the price of all tracks to 2
null;

-- refuse: predict sales for 2026
null;

-- refuse: what is the weather like?
null;
