-- Questions over the Chinook music shop, planned without a hand-written semantic layer; today is 2025-12-22.
-- One block a question: "-- intent: question", then the reference. `null` means: must not be answered.

-- count: How many tracks are there?
select count(*) from Track;

-- count: number of invoices in 2024
select count(*) from Invoice where InvoiceDate >= '2024-01-01' and InvoiceDate < '2025-01-01';

-- count: how many customers do we have in Brazil?
select count(*) from Customer where Country = 'Brazil';

-- count: How many Jazz tracks do we have?
select count(*) from Track t join Genre g on g.GenreId = t.GenreId where g.Name = 'Jazz';

-- count: how many albums does Iron Maiden have?
select count(*) from Album b join Artist a on a.ArtistId = b.ArtistId where a.Name = 'Iron Maiden';

-- metric: total revenue
select sum(Total) from Invoice;

-- metric: total sales in 2023
select sum(Total) from Invoice where InvoiceDate like '2023%';

-- metric: average invoice total
select avg(Total) from Invoice;

-- metric: sales in Germany last year
select sum(Total) from Invoice where BillingCountry = 'Germany' and InvoiceDate like '2024%';

-- group: number of albums per artist
select ArtistId, count(*) from Album group by 1;

-- group: sales by genre
select g.Name, sum(l.UnitPrice * l.Quantity) from InvoiceLine l join Track t on t.TrackId = l.TrackId join Genre g on g.GenreId = t.GenreId group by g.GenreId;

-- group: number of customers by country
select Country, count(*) from Customer group by 1;

-- group: average milliseconds per genre
select g.Name, avg(t.Milliseconds) from Track t join Genre g on g.GenreId = t.GenreId group by g.GenreId;

-- group: customers per support rep
select SupportRepId, count(*) from Customer group by 1;

-- group: tracks by media type and genre
select m.Name, g.Name, count(*) from Track t join MediaType m on m.MediaTypeId = t.MediaTypeId join Genre g on g.GenreId = t.GenreId group by m.MediaTypeId, g.GenreId;

-- group: units sold per genre in 2024
select g.Name, sum(l.Quantity) from InvoiceLine l join Invoice i on i.InvoiceId = l.InvoiceId join Track t on t.TrackId = l.TrackId join Genre g on g.GenreId = t.GenreId where i.InvoiceDate like '2024%' group by g.GenreId;

-- group: average invoice total by country
select BillingCountry, avg(Total) from Invoice group by 1;

-- topn: top 5 artists by number of albums
select a.Name, count(*) n from Album b join Artist a on a.ArtistId = b.ArtistId group by a.ArtistId order by n desc limit 5;

-- topn: 10 longest tracks
select Name from Track order by Milliseconds desc limit 10;

-- topn: top 3 genres by sales
select g.Name, sum(l.UnitPrice * l.Quantity) s from InvoiceLine l join Track t on t.TrackId = l.TrackId join Genre g on g.GenreId = t.GenreId group by g.GenreId order by s desc limit 3;

-- topn: top 5 customers by total sales
select CustomerId, sum(Total) s from Invoice group by 1 order by s desc limit 5;

-- topn: bottom 3 countries by number of invoices
select BillingCountry, count(*) n from Invoice group by 1 order by n, 1 limit 3;

-- topn: five biggest invoices
select InvoiceId from Invoice order by Total desc limit 5;

-- topn-per-group: top 2 customers in each country by sales
select BillingCountry, CustomerId from (select BillingCountry, CustomerId, row_number() over (partition by BillingCountry order by sum(Total) desc, CustomerId) r from Invoice group by 1, 2) where r <= 2;

-- superlative: longest track
select Name from Track order by Milliseconds desc limit 1;

-- superlative: which customer has spent the most?
select CustomerId, sum(Total) s from Invoice group by 1 order by s desc limit 1;

-- superlative: which album has the most tracks
select b.Title, count(*) n from Track t join Album b on b.AlbumId = t.AlbumId group by b.AlbumId order by n desc limit 1;

-- superlative: Which genre has the most tracks?
select g.Name, count(*) n from Track t join Genre g on g.GenreId = t.GenreId group by g.GenreId order by n desc limit 1;

-- superlative: what country has the highest sales
select BillingCountry, sum(Total) s from Invoice group by 1 order by s desc limit 1;

-- superlative: which playlist has the most tracks?
select p.PlaylistId, count(*) n from PlaylistTrack x join Playlist p on p.PlaylistId = x.PlaylistId group by 1 order by n desc limit 1;

-- trend: monthly sales in 2023
select strftime('%Y-%m', InvoiceDate), sum(Total) from Invoice where InvoiceDate like '2023%' group by 1;

-- trend: number of invoices per quarter in 2025
select strftime('%Y', InvoiceDate) || '-Q' || ((cast(strftime('%m', InvoiceDate) as integer) + 2) / 3), count(*) from Invoice where InvoiceDate like '2025%' group by 1;

-- anti: artists without albums
select Name from Artist a where not exists (select 1 from Album b where b.ArtistId = a.ArtistId);

-- anti: tracks that have never been sold
select TrackId from Track t where not exists (select 1 from InvoiceLine l where l.TrackId = t.TrackId);

-- anti: playlists without tracks
select PlaylistId from Playlist p where not exists (select 1 from PlaylistTrack x where x.PlaylistId = p.PlaylistId);

-- anti: how many tracks were never purchased?
select count(*) from Track t where not exists (select 1 from InvoiceLine l where l.TrackId = t.TrackId);

-- anti: genres with no sales
select Name from Genre g where not exists (select 1 from InvoiceLine l join Track t on t.TrackId = l.TrackId where t.GenreId = g.GenreId);

-- having: albums with more than 20 tracks
select b.AlbumId from Album b join Track t on t.AlbumId = b.AlbumId group by 1 having count(*) > 20;

-- having: countries with at least 5 customers
select Country, count(*) from Customer group by 1 having count(*) >= 5;

-- having: artists with more than 3 albums
select a.Name from Artist a join Album b on b.ArtistId = a.ArtistId group by a.ArtistId having count(*) > 3;

-- having: customers who spent more than 40
select CustomerId from Invoice group by 1 having sum(Total) > 40;

-- having: playlists with over 100 tracks
select PlaylistId from PlaylistTrack group by 1 having count(*) > 100;

-- distinct: how many different countries do customers come from?
select count(distinct Country) from Customer;

-- distinct: list the distinct billing countries
select distinct BillingCountry from Invoice;

-- share: share of sales by country
select BillingCountry, 100.0 * sum(Total) / (select sum(Total) from Invoice) from Invoice group by 1;

-- share: percentage of tracks per media type
select m.Name, 100.0 * count(*) / (select count(*) from Track) from Track t join MediaType m on m.MediaTypeId = t.MediaTypeId group by m.MediaTypeId;

-- running: running total of sales by month in 2022
select m, sum(s) over (order by m) from (select strftime('%Y-%m', InvoiceDate) m, sum(Total) s from Invoice where InvoiceDate like '2022%' group by 1);

-- growth: year over year sales growth
with y as (select cast(strftime('%Y', InvoiceDate) as integer) y, sum(Total) s from Invoice group by 1) select a.y, a.s, (a.s - b.s) / b.s * 100 from y a join y b on a.y = b.y + 1;

-- nested: average number of tracks per album
select avg(n) from (select AlbumId, count(*) n from Track group by 1);

-- nested: average number of invoices per customer
select avg(n) from (select CustomerId, count(*) n from Invoice group by 1);

-- list: tracks by Metallica
select t.TrackId from Track t join Album b on b.AlbumId = t.AlbumId join Artist a on a.ArtistId = b.ArtistId where a.Name = 'Metallica';

-- list: customers from Brazil
select CustomerId from Customer where Country = 'Brazil';

-- list: customers in USA or Canada
select CustomerId from Customer where Country in ('USA', 'Canada');

-- list: invoices over 15
select InvoiceId from Invoice where Total > 15;

-- list: tracks cheaper than 1
select TrackId from Track where UnitPrice < 1;

-- list: tracks longer than 15 minutes
select TrackId from Track where Milliseconds > 900000;

-- list: tracks in the playlist Grunge
select x.TrackId from PlaylistTrack x join Playlist p on p.PlaylistId = x.PlaylistId where p.Name = 'Grunge';

-- list: employees hired before 2003
select EmployeeId from Employee where HireDate < '2003-01-01';

-- list: albums by AC/DC or Accept
select Title from Album b join Artist a on a.ArtistId = b.ArtistId where a.Name in ('AC/DC', 'Accept');

-- lookup: email of customer 5
select Email from Customer where CustomerId = 5;

-- lookup: invoice 10
select InvoiceId, Total from Invoice where InvoiceId = 10;

-- lookup: title of employee 3
select Title from Employee where EmployeeId = 3;

-- lookup: invoices of customer 12
select InvoiceId from Invoice where CustomerId = 12;

-- minmax: largest invoice total
select max(Total) from Invoice;

-- minmax: latest invoice date
select max(InvoiceDate) from Invoice;

-- minmax: shortest track length per genre
select g.Name, min(t.Milliseconds) from Track t join Genre g on g.GenreId = t.GenreId group by g.GenreId;

-- negated: number of customers not from USA
select count(*) from Customer where Country <> 'USA';

-- null: tracks without a composer
select TrackId from Track where Composer is null;

-- null: how many customers have a company?
select count(*) from Customer where Company is not null;

-- like: tracks with 'love' in the name
select TrackId from Track where Name like '%love%';

-- like: albums whose title starts with 'The'
select Title from Album where Title like 'The%';

-- like: artists whose name ends with 'Orchestra'
select Name from Artist where Name like '%Orchestra';

-- compare: compare the number of Rock and Metal tracks
select g.Name, count(*) from Track t join Genre g on g.GenreId = t.GenreId where g.Name in ('Rock', 'Metal') group by g.GenreId;

-- compare: sales 2023 vs 2024
select strftime('%Y', InvoiceDate), sum(Total) from Invoice where InvoiceDate >= '2023-01-01' and InvoiceDate < '2025-01-01' group by 1;

-- compare: who has more albums, AC/DC or Metallica?
select a.Name, count(*) n from Album b join Artist a on a.ArtistId = b.ArtistId where a.Name in ('AC/DC', 'Metallica') group by a.ArtistId order by n desc limit 1;

-- selfjoin: employees and their managers
select e.EmployeeId, m.EmployeeId from Employee e left join Employee m on m.EmployeeId = e.ReportsTo;

-- selfjoin: who reports to employee 2?
select EmployeeId from Employee where ReportsTo = 2;

-- bridge: number of playlists per track
select TrackId, count(*) from PlaylistTrack group by 1;

-- bridge: genres per playlist
select x.PlaylistId, count(distinct t.GenreId) from PlaylistTrack x join Track t on t.TrackId = x.TrackId group by 1;

-- verb: customers who bought Jazz tracks
select distinct i.CustomerId from Invoice i join InvoiceLine l on l.InvoiceId = i.InvoiceId join Track t on t.TrackId = l.TrackId join Genre g on g.GenreId = t.GenreId where g.Name = 'Jazz';

-- verb: how many customers does each employee support?
select SupportRepId, count(*) from Customer group by 1;

-- refuse: which songs should I listen to?
null;

-- refuse: average rating of albums
null;

-- refuse: delete all invoices of 2021
null;

-- refuse: what will sales be in 2027?
null;

-- refuse: who is the best singer in the world?
null;

-- refuse: why are Jazz sales so low?
null;

-- refuse: revenue by record label
null;
